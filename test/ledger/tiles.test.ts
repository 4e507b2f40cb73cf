import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { verifyCheckpoint } from '../../src/core/checkpoint.ts';
import { sha256 } from '../../src/core/digest.ts';
import { rootOfLeaves } from '../../src/core/merkle.ts';
import { parseTlogProof, verifyTlogProof } from '../../src/core/tlog-proof.ts';
import { leafOf } from '../../src/ledger/chain.ts';
import { exportTiles } from '../../src/ledger/export-io.ts';
import { entriesPath, TileBuilder, type TileFile, tilePath } from '../../src/ledger/tiles.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { edit, filesBelow, logKey, origin, snapshot, testLedger } from './ledger-support.ts';

describe('tiles', () => {
  it('are named as C2SP names them', () => {
    expect(tilePath(0, 0)).toBe('tile/0/000');
    expect(tilePath(5, 999)).toBe('tile/5/999');
    expect(tilePath(1, 1234067)).toBe('tile/1/x001/x234/067');
    expect(tilePath(0, 1000, 3)).toBe('tile/0/x001/000.p/3');
    expect(tilePath(0, 2 ** 52)).toBe('tile/0/x004/x503/x599/x627/x370/496');
    expect(entriesPath(1234067, 255)).toBe('tile/entries/x001/x234/067.p/255');
    expect(entriesPath(0, 256)).toBe('tile/entries/000');
  });

  it('hold every hash of every eighth level, over three levels of tiles', () => {
    const builder = new TileBuilder(sha256);
    const files: TileFile[] = [];
    const size = 65_536 + 256 + 1;
    const lines = Array.from({ length: size }, (_, i) => utf8(`line ${i}`));
    for (const line of lines) files.push(...builder.append(line));
    files.push(...builder.finish());
    const at = new Map(files.map(({ path, bytes }) => [path, bytes]));
    expect(at.size).toBe(files.length);
    const leaves = lines.map((line) => leafOf(sha256, line));
    const hashes = (bytes: Uint8Array | undefined) =>
      Buffer.from(bytes ?? [])
        .toString('hex')
        .match(/.{64}/g) ?? [];
    const over = (from: number, to: number) =>
      Buffer.from(rootOfLeaves(sha256, leaves.slice(from, to))).toString('hex');
    expect(hashes(at.get('tile/0/256'))).toEqual(
      leaves.slice(65_536, 65_792).map((leaf) => Buffer.from(leaf).toString('hex')),
    );
    expect(hashes(at.get('tile/0/257.p/1'))).toHaveLength(1);
    expect(hashes(at.get('tile/1/000'))[200]).toBe(over(200 * 256, 201 * 256));
    expect(hashes(at.get('tile/1/001.p/1'))).toEqual([over(65_536, 65_792)]);
    expect(hashes(at.get('tile/2/000.p/1'))).toEqual([over(0, 65_536)]);
    expect(at.has('tile/3/000.p/1')).toBe(false);
    expect(Buffer.from(at.get('tile/entries/257.p/1') ?? []).toString()).toBe('\x00\x0aline 65792');
    expect(builder.root()).toEqual(rootOfLeaves(sha256, leaves));
  });
});

describe('an export', () => {
  it('has the checkpoint, tiles, entries and proofs, and nothing else', async () => {
    const { directory, lines } = await testLedger({ hash: 'sha256', lines: 300 });
    const before = snapshot(directory);
    const out = join(tempDirectory(), 'tiles');
    const { checkpoint, files, bytes } = await exportTiles({ directory, out, prove: { from: 298, to: 300 } });
    expect(filesBelow(out)).toEqual([
      'checkpoint',
      'proof/298.tlog-proof',
      'proof/299.tlog-proof',
      'tile/0/000',
      'tile/0/001.p/44',
      'tile/1/000.p/1',
      'tile/entries/000',
      'tile/entries/001.p/44',
    ]);
    expect([files, checkpoint.size]).toEqual([8, 300]);
    expect(bytes).toBe(filesBelow(out).reduce((sum, name) => sum + statSync(join(out, name)).size, 0));
    expect(statSync(out).mode & 0o777).toBe(0o755);
    const trust = { key: logKey.publicKey, hash: 'sha256', origin } as const;
    expect(verifyCheckpoint(readFileSync(join(out, 'checkpoint')), trust)).toEqual(checkpoint);
    const proof = readFileSync(join(out, 'proof/299.tlog-proof'));
    const leaf = leafOf(sha256, lines[299] as Uint8Array);
    expect(verifyTlogProof({ ...trust, proof, leaf }).index).toBe(299);
    expect(parseTlogProof(proof).hashes.length).toBeLessThan(10);
    expect(snapshot(directory)).toEqual(before);
  });

  it('of an empty log is its checkpoint', async () => {
    const { directory } = await testLedger({ hash: 'sha256' });
    const out = join(tempDirectory(), 'tiles');
    await exportTiles({ directory, out });
    expect(filesBelow(out)).toEqual(['checkpoint']);
  });

  it('of a blake3 log is refused', async () => {
    const { directory } = await testLedger({ lines: 3 });
    const parent = tempDirectory();
    await expectCodeAsync(exportTiles({ directory, out: join(parent, 'tiles') }), 'EXPORT_HASH');
    expect(readdirSync(parent)).toEqual([]);
  });

  it('never goes over something, be it empty', async () => {
    const { directory } = await testLedger({ hash: 'sha256', lines: 3 });
    const parent = tempDirectory();
    const [folder, file] = [join(parent, 'folder'), join(parent, 'file')];
    mkdirSync(folder);
    writeFileSync(file, 'mine');
    for (const out of [folder, file]) await expectCodeAsync(exportTiles({ directory, out }), 'EXPORT_EXISTS');
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect(readdirSync(parent).sort()).toEqual(['file', 'folder']);
  });

  it('of lines that are not what was signed is refused, and leaves nothing', async () => {
    const { directory } = await testLedger({ hash: 'sha256', lines: 30 });
    edit(join(directory, 'entries/000000000000.ndjson'), (bytes) =>
      Buffer.from(bytes.toString().replace('entry 7', 'entry X')),
    );
    const parent = tempDirectory();
    await expectCodeAsync(exportTiles({ directory, out: join(parent, 'tiles') }), 'TAMPERED');
    expect(readdirSync(parent)).toEqual([]);
  });

  it('with a proof of what is not there, or into nowhere, leaves nothing', async () => {
    const { directory } = await testLedger({ hash: 'sha256', lines: 3 });
    const parent = tempDirectory();
    await expectCodeAsync(
      exportTiles({ directory, out: join(parent, 'tiles'), prove: { from: 2, to: 4 } }),
      'NO_SUCH_ENTRY',
    );
    await expectCodeAsync(exportTiles({ directory, out: join(parent, 'none/tiles') }), 'NOT_FOUND');
    expect(existsSync(join(parent, 'none'))).toBe(false);
    expect(readdirSync(parent)).toEqual([]);
  });
});
