import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { assertReadsBack } from '../../src/bundle/read-back-io.ts';
import { signBundle } from '../../src/bundle/sign-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { tempDirectory } from '../support/temp.ts';
import { copySample, hexOf, readBytes, readWhole, snapshot } from './sample.ts';

const EXEC = hexOf('title: exec\n');

describe('packBundle', () => {
  it('says what is on the medium: digest, bytes, blobs', async () => {
    const directory = await copySample();
    const out = join(tempDirectory(), 'x.tar');
    const umask = process.umask(0o077);
    const result = await packBundle(directory, out).finally(() => process.umask(umask));
    const bytes = readBytes(out);
    expect(result).toEqual({
      readBack: expect.stringMatching(/^(medium|cache)$/),
      sha256: hexOf(bytes),
      bytes: bytes.length,
      blobs: 4,
      missing: 0,
    });
    expect((statSync(out).mode & 0o777).toString(8)).toBe('644');
    expect((await readWhole(out)).findings).toEqual({ missing: [], mismatched: [] });
  });

  it('packs the same directory to the same bytes, wherever it lies and whatever else changed about it', async () => {
    const [one, other] = [await copySample(), await copySample()];
    // Another order on disk, other times.
    for (const [path] of snapshot(other)) {
      const file = join(other, path);
      if (!statSync(file).isFile()) continue;
      renameSync(file, `${file}.moved`);
      writeFileSync(file, readBytes(`${file}.moved`));
      rmSync(`${file}.moved`);
    }
    await packBundle(one, `${one}.tar`);
    await packBundle(other, `${other}.tar`);
    expect(readBytes(`${other}.tar`)).toEqual(readBytes(`${one}.tar`));
  });

  it('packs signatures, and a volume as a volume', async () => {
    const directory = await copySample();
    await signBundle(directory, testKey('a'));
    rmSync(join(directory, 'blobs/sha256', EXEC));
    expect(await packBundle(directory, `${directory}.tar`)).toMatchObject({ blobs: 3, missing: 1 });
    const { envelope, findings } = await readWhole(`${directory}.tar`);
    expect(Buffer.from(envelope).toString()).toContain(testKey('a').publicKey.keyid);
    expect(findings.missing).toEqual([EXEC]);
  });

  const hasTar = (() => {
    try {
      execFileSync('tar', ['--version'], { stdio: 'pipe' });
      return true;
    } catch {
      return false;
    }
  })();
  it.skipIf(!hasTar)('a stock tar unpacks it into the same directory (skipped without one)', async () => {
    const directory = await copySample();
    await packBundle(directory, `${directory}.tar`);
    const unpacked = join(tempDirectory(), 'unpacked');
    mkdirSync(unpacked);
    execFileSync('tar', ['-xf', `${directory}.tar`, '-C', unpacked], { stdio: 'pipe' });
    const contents = (path: string) => snapshot(path).map(([name, , content]) => [name, content]);
    expect(contents(unpacked)).toEqual(contents(directory));
    const again = await packBundle(unpacked, join(tempDirectory(), 'again.tar'));
    expect(again.sha256).toBe(hexOf(readBytes(`${directory}.tar`)));
  });
});

describe('assertReadsBack', () => {
  it('PACK_MISMATCH: a medium that does not return what was written', async () => {
    const path = join(tempDirectory(), 'written');
    writeFileSync(path, 'what was written');
    await assertReadsBack(path, path, hexOf('what was written'));
    writeFileSync(path, 'what was writteN');
    await expectCodeAsync(assertReadsBack(path, path, hexOf('what was written')), 'PACK_MISMATCH');
    writeFileSync(path, 'what was');
    await expectCodeAsync(assertReadsBack(path, path, hexOf('what was written')), 'PACK_MISMATCH');
  });
});

describe('packBundle refuses, and leaves nothing', () => {
  it.each<[string, string, (bundle: (path: string) => string) => void]>([
    ['BLOB_MISMATCH', 'a blob changed', (bundle) => writeFileSync(bundle(`blobs/sha256/${EXEC}`), 'title: EVIL\n')],
    ['BLOB_MISMATCH', 'a blob cut', (bundle) => writeFileSync(bundle(`blobs/sha256/${EXEC}`), 'title')],
    ['BLOB_UNLISTED', 'a blob too many', (bundle) => writeFileSync(bundle(`blobs/sha256/${'f'.repeat(64)}`), '')],
    ['INDEX_MISMATCH', 'an index changed', (bundle) => writeFileSync(bundle('index.jsonl'), '')],
    ['INDEX_MISSING', 'no index', (bundle) => rmSync(bundle('index.jsonl'))],
    ['ENVELOPE_MISSING', 'no envelope', (bundle) => rmSync(bundle('bundle.dsse.json'))],
    ['ENVELOPE_MALFORMED', 'an envelope that is none', (bundle) => writeFileSync(bundle('bundle.dsse.json'), '{}')],
    ['UNKNOWN_NAME', 'a name nobody knows', (bundle) => writeFileSync(bundle('.DS_Store'), '')],
    ['DIRECTORY_LINK', 'a link', (bundle) => symlinkSync('/etc/passwd', bundle('root/3.root.dsse.json'))],
  ])('%s: %s', async (code, _what, harm) => {
    const directory = await copySample();
    harm((name) => join(directory, name));
    const place = tempDirectory();
    await expectCodeAsync(packBundle(directory, join(place, 'x.tar')), code);
    expect(readdirSync(place)).toEqual([]);
  });

  it('OUTPUT_EXISTS, OUTPUT_INSIDE_SOURCE and NOT_FOUND: what is there stays', async () => {
    const directory = await copySample();
    const there = join(tempDirectory(), 'x.tar');
    writeFileSync(there, 'precious');
    await expectCodeAsync(packBundle(directory, there), 'OUTPUT_EXISTS');
    expect(Buffer.from(readBytes(there)).toString()).toBe('precious');
    await expectCodeAsync(packBundle(directory, join(directory, 'x.tar')), 'OUTPUT_INSIDE_SOURCE');
    await expectCodeAsync(packBundle(directory, join(tempDirectory(), 'no', 'x.tar')), 'NOT_FOUND');
    await expectCodeAsync(packBundle(join(directory, 'no'), join(tempDirectory(), 'x.tar')), 'NOT_FOUND');
    await expectCodeAsync(packBundle(`${directory}/index.jsonl`, join(tempDirectory(), 'x.tar')), 'DIRECTORY_TYPE');
    expect((await readWhole(directory)).findings).toEqual({ missing: [], mismatched: [] });
  });
});
