import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeTarHeader, TAR_END_BYTES } from '../../src/archive/tar-header.ts';
import { MAX_ENVELOPE, MAX_INDEX_BYTES, MAX_ROOT_BYTES } from '../../src/bundle/format.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { directoryBlobSink, openBundle } from '../../src/bundle/read-io.ts';
import { concatBytes, utf8 } from '../../src/core/bytes.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';
import { copySample, hexOf, readBytes, readWhole, rootEnvelope, type WholeBundle } from './sample.ts';
import { type Member, membersOf, tarOf } from './tar-members.ts';

const EXEC = hexOf('title: exec\n');
const NET = hexOf('title: net\n');

/** The sample as a tar, and what is in it. */
async function packed(): Promise<{ tar: Uint8Array; members: Member[] }> {
  const directory = await copySample();
  await packBundle(directory, `${directory}.tar`);
  const tar = readBytes(`${directory}.tar`);
  return { tar, members: await membersOf(tar) };
}

async function read(tar: Uint8Array, stage?: string): Promise<WholeBundle> {
  const path = join(tempDirectory(), 'x.tar');
  writeFileSync(path, tar);
  return readWhole(path, stage === undefined ? undefined : directoryBlobSink(stage, { durable: false }));
}

const blob = (content: string): Member => [`blobs/sha256/${hexOf(content)}`, utf8(content)];

describe('a bundle in a tar', () => {
  it('reads as its directory does', async () => {
    const directory = await copySample();
    await packBundle(directory, `${directory}.tar`);
    const { transport, ...tar } = await readWhole(`${directory}.tar`);
    const { transport: other, ...dir } = await readWhole(directory);
    expect([transport, other]).toEqual(['tar', 'directory']);
    expect(tar).toEqual(dir);
  });

  it('may be a volume, down to no blobs at all', async () => {
    const { members } = await packed();
    const some = members.filter(([name]) => !name.endsWith(EXEC));
    expect((await read(tarOf(some))).findings).toEqual({ missing: [EXEC], mismatched: [] });
    const none = members.filter(([name]) => !name.startsWith('blobs/'));
    expect((await read(tarOf(none))).findings.missing).toHaveLength(4);
  });

  it('names every blob that is not what it should be, stages the others, and goes on', async () => {
    const { members } = await packed();
    const harmed = members.map(([name, body]): Member => {
      if (name.endsWith(EXEC)) return [name, utf8('title: EVIL\n')];
      return name.endsWith(NET) ? [name, utf8('another size')] : [name, body];
    });
    const stage = join(tempDirectory(), 'stage');
    expect((await read(tarOf(harmed), stage)).findings).toEqual({ missing: [], mismatched: [EXEC, NET].sort() });
    expect(readdirSync(stage).sort()).toEqual([hexOf(''), hexOf('#!/bin/sh\n')].sort());
  });

  it('refuses members that are unknown, out of order, twice, unlisted, too large or too many', async () => {
    const { members } = await packed();
    const [envelope, root1, root2, index, ...blobs] = members as [Member, Member, Member, Member, ...Member[]];
    const rest = [root1, root2, index, ...blobs];
    const many = Array.from({ length: 257 }, (_, i): Member => [`root/${i + 1}.root.dsse.json`, rootEnvelope(i + 1)]);
    const large = (name: string, size: number): Member => [name, new Uint8Array(size)];
    const cases: readonly (readonly [code: string, members: readonly Member[]])[] = [
      ['UNKNOWN_NAME', [envelope, root1, root2, ['README', utf8('x')], index, ...blobs]],
      ['UNKNOWN_NAME', [['README', utf8('x')], envelope, ...rest]],
      ['UNKNOWN_NAME', [envelope, ['root/01.root.dsse.json', utf8('x')], index, ...blobs]],
      ['UNKNOWN_NAME', [envelope, ['ROOT/1.root.dsse.json', utf8('x')], index, ...blobs]],
      ['UNKNOWN_NAME', [envelope, ...rest, [`blobs/sha256/${'F'.repeat(64)}`, utf8('x')]]],
      ['UNKNOWN_NAME', [envelope, ...rest, ['zz', utf8('x')]]],
      ['ENVELOPE_MISSING', rest],
      ['INDEX_MISSING', [envelope, root1, root2, ...blobs]],
      ['TAR_DUPLICATE', [envelope, envelope, ...rest]],
      ['TAR_DUPLICATE', [envelope, root1, root1, root2, index, ...blobs]],
      ['TAR_DUPLICATE', [envelope, root1, root2, index, index, ...blobs]],
      ['TAR_DUPLICATE', [envelope, root1, root2, index, ...blobs, ...blobs.slice(-1)]],
      ['TAR_ORDER', [envelope, root2, root1, index, ...blobs]],
      ['TAR_ORDER', [envelope, index, root1, root2, ...blobs]],
      ['TAR_ORDER', [envelope, root1, root2, index, ...blobs.toReversed()]],
      // A second envelope at the end would win for whoever extracts with another tool.
      ['TAR_ORDER', [envelope, ...rest, envelope]],
      ['TAR_ORDER', [envelope, ...rest, index]],
      ['TAR_ORDER', [envelope, ...rest, root1]],
      ['BLOB_UNLISTED', [envelope, ...rest, [`blobs/sha256/${'f'.repeat(64)}`, utf8('x')]]],
      ['BLOB_UNLISTED', [envelope, root1, root2, index, blob('nobody signed this')]],
      ['ENVELOPE_TOO_LARGE', [large('bundle.dsse.json', MAX_ENVELOPE + 1), ...rest]],
      ['ROOT_TOO_LARGE', [envelope, large('root/1.root.dsse.json', MAX_ROOT_BYTES + 1), index]],
      ['ROOT_TOO_MANY', [envelope, ...many, index, ...blobs]],
      ['INDEX_TOO_LARGE', [envelope, root1, root2, large('index.jsonl', index[1].length + 1), ...blobs]],
    ];
    for (const [code, hostile] of cases) {
      const thrown = await read(tarOf(hostile)).catch((error: unknown) => error);
      expect(thrown, `${code}: ${hostile.map(([name]) => name).join(' ')}`).toMatchObject({ code, fault: 'untrusted' });
    }
  });

  it('TAR_ENTRY_TOO_LARGE: a member announced far beyond anything a bundle holds', async () => {
    const { members } = await packed();
    const tar = tarOf(members).slice(0, -TAR_END_BYTES);
    const bomb = encodeTarHeader(`blobs/sha256/${'f'.repeat(64)}`, MAX_INDEX_BYTES + 1);
    await expectCodeAsync(read(concatBytes(tar, bomb)), 'TAR_ENTRY_TOO_LARGE');
  });

  it('TAR_TRAILING and TAR_CONCATENATED: what follows the end, found though every blob was good', async () => {
    const { tar } = await packed();
    await expectCodeAsync(read(concatBytes(tar, new Uint8Array(512))), 'TAR_TRAILING');
    await expectCodeAsync(read(concatBytes(tar, tar)), 'TAR_CONCATENATED');
  });

  it('cut at any block, or anywhere else, it is refused with a code', async () => {
    const { tar } = await packed();
    const path = join(tempDirectory(), 'x.tar');
    const blocks = Array.from({ length: tar.length / 512 }, (_, i) => i * 512);
    const others = fc.sample(fc.nat(tar.length - 1), { numRuns: runs(30, 2000), seed: 42 });
    for (const length of [...blocks, ...others]) {
      writeFileSync(path, tar.subarray(0, length));
      const thrown = await readWhole(path).catch((error: unknown) => error);
      const { code } = thrown as DaemonEyeError;
      const known = ['TAR_TRUNCATED', 'TAR_MISSING_EOF', ...(length < 16 ? ['NOT_A_BUNDLE'] : [])];
      expect(known, `cut at ${length}: ${code}`).toContain(code);
    }
  });

  it('with bytes changed it is refused, or names the blobs that changed', async () => {
    const { tar } = await packed();
    const path = join(tempDirectory(), 'x.tar');
    const change = fc.record({ at: fc.nat(tar.length - 1), by: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, by }) => {
        const harmed = new Uint8Array(tar);
        harmed[at] = ((harmed[at] ?? 0) + by) % 256;
        writeFileSync(path, harmed);
        try {
          const whole = await readWhole(path);
          // Roots and the envelope's signatures are for the verifier to judge; nothing else may pass unseen.
          const differs = !whole.roots.every(
            ({ version, bytes }) => Buffer.compare(bytes, rootEnvelope(version)) === 0,
          );
          expect(differs || whole.findings.mismatched.length > 0 || insideEnvelope(at)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(DaemonEyeError);
        }
      }),
      { numRuns: runs(300, 20_000) },
    );
    function insideEnvelope(at: number): boolean {
      return at >= 512 && at < 2048;
    }
  });

  it('READ_ORDER: parts are read once, front to back', async () => {
    const { tar } = await packed();
    const path = join(tempDirectory(), 'x.tar');
    writeFileSync(path, tar);
    const reader = await openBundle(path);
    await expectCodeAsync(reader.readIndex(1000), 'READ_ORDER');
    await reader.readHead();
    await expectCodeAsync(reader.readHead(), 'READ_ORDER');
    await expectCodeAsync(reader.readBlobs(new Map()), 'READ_ORDER');
    await reader.close();
    await expectCodeAsync(reader.readIndex(1000), 'READ_ORDER');
    await reader.close();
  });

  it('leaves nothing half-staged when it ends early', async () => {
    const { tar, members } = await packed();
    const stage = join(tempDirectory(), 'stage');
    // In the middle of the body of the last blob that has one.
    const [name, body] = members.findLast((member) => member[1].length > 0) ?? ['', new Uint8Array()];
    const at = Buffer.from(tar).indexOf(name) + 512 + body.length - 1;
    await expectCodeAsync(read(tar.slice(0, at), stage), 'TAR_TRUNCATED');
    expect(readdirSync(stage).filter((file) => file.startsWith('.') || file === name.split('/').at(-1))).toEqual([]);
  });

  it('a directory that only looks like a tar is read as a directory', async () => {
    const path = join(tempDirectory(), 'x.tar');
    mkdirSync(path);
    await expectCodeAsync(openBundle(path), 'NOT_A_BUNDLE');
  });
});
