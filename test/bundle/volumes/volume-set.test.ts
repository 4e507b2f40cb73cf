import { appendFileSync, copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BlobSink } from '../../../src/bundle/blob-receiver.ts';
import { expectedBlobs } from '../../../src/bundle/index-lines.ts';
import { readUnverified } from '../../../src/bundle/inspect-io.ts';
import { signBundle } from '../../../src/bundle/sign-io.ts';
import { type CheckedSet, checkVolumes } from '../../../src/bundle/volumes/check-io.ts';
import { joinVolumes } from '../../../src/bundle/volumes/join-io.ts';
import { volumeAt } from '../../../src/bundle/volumes/open-volumes-io.ts';
import { splitBundle } from '../../../src/bundle/volumes/split-io.ts';
import { missingVolumes } from '../../../src/bundle/volumes/volume-names.ts';
import { type Lacking, VolumeSet } from '../../../src/bundle/volumes/volume-set.ts';
import { expectCodeAsync } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { readBytes } from '../sample.ts';
import { namesBeside, SMALL, splitSample, TWELVE } from './volumes.ts';

/** A copy of a volume with one byte of a blob's body changed. */
function damagedCopy(volume: string): string {
  const bytes = readFileSync(volume);
  // The last body: before the two zero blocks and the padding.
  const at = bytes.length - 1024 - 512 - 100;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const copy = join(tempDirectory(), 'damaged.tar.002');
  writeFileSync(copy, bytes);
  return copy;
}

function statesOf({ volumes }: CheckedSet): string[] {
  return volumes.map(({ state }) => state);
}

async function readSet(
  paths: readonly [string, ...string[]],
  next?: (lacking: Lacking) => string | undefined,
): Promise<{ readonly missing: number; readonly mismatched: number; readonly taken: string[] }> {
  const [first, ...others] = paths;
  const set = new VolumeSet(
    [volumeAt(first), ...others.map((path) => volumeAt(path))],
    next &&
      (async (lacking) => {
        const path = next(lacking);
        return path === undefined ? undefined : volumeAt(path);
      }),
  );
  const taken: string[] = [];
  const sink: BlobSink = {
    open: async (sha256) => ({
      write: async () => undefined,
      commit: async () => void taken.push(sha256),
      discard: async () => undefined,
    }),
  };
  try {
    const { entries } = await readUnverified(set);
    const { missing, mismatched } = await set.readBlobs(expectedBlobs(entries), sink);
    return { missing: missing.length, mismatched: mismatched.length, taken };
  } finally {
    await set.close();
  }
}

describe('a set of volumes', () => {
  it('is the bundle, in any order, each blob taken once', async () => {
    const { volumes } = await splitSample();
    const [a = '', ...rest] = volumes.toReversed();
    const { missing, mismatched, taken } = await readSet([a, ...rest, a]);
    expect([missing, mismatched, taken.length, new Set(taken).size]).toEqual([0, 0, 12, 12]);
  });

  it('a blob damaged in one volume and sound in another is sound', async () => {
    const { volumes } = await splitSample();
    const [a = '', b = '', ...rest] = volumes;
    expect(await readSet([a, damagedCopy(b), ...rest])).toMatchObject({ missing: 0, mismatched: 1 });
    expect(await readSet([a, damagedCopy(b), ...rest, b])).toMatchObject({ missing: 0, mismatched: 0 });
    expect(await readSet([a, b, damagedCopy(b), ...rest])).toMatchObject({ missing: 0, mismatched: 0 });
  });

  it('asks for more while something is lacking, and tells what was wrong with the last', async () => {
    const { volumes } = await splitSample();
    const [a = '', b = '', ...rest] = volumes;
    const stranger = (await splitSample({ ...TWELVE, more: 'x' })).volumes[0] ?? '';
    const answers = [damagedCopy(b), stranger, join(tempDirectory(), 'nowhere.003'), b, ...rest];
    const asked: Lacking[] = [];
    const found = await readSet([a], (lacking) => {
      asked.push(lacking);
      return answers.shift();
    });
    expect(found).toMatchObject({ missing: 0, mismatched: 0 });
    expect(asked.slice(0, 4).map(({ problem }) => problem?.code)).toEqual([
      undefined,
      'BLOB_MISMATCH',
      'VOLUME_FOREIGN',
      'VOLUME_UNREADABLE',
    ]);
    expect(asked.map(({ blobs }) => blobs.length)).toEqual(
      asked.map(({ blobs }) => blobs.length).toSorted((x, y) => y - x),
    );
    expect(asked[0]?.bytes).toBe((asked[0]?.blobs.length ?? 0) * 3000);
    // Nobody has another: what is missing is named, not waited for.
    expect((await readSet([a], () => undefined)).missing).toBeGreaterThan(0);
  });

  it('a stick that is pulled: what was read before counts, and the same volume can go on', async () => {
    const { volumes } = await splitSample();
    const [a = '', b = '', ...rest] = volumes;
    const cut = join(tempDirectory(), 'cut.002');
    copyFileSync(b, cut);
    truncateSync(cut, readFileSync(b).length - 4000);
    await expectCodeAsync(readSet([a, cut, ...rest]), 'VOLUME_REFUSED');
    const answers = [cut, b, ...rest];
    const asked: Lacking[] = [];
    const found = await readSet([a], (lacking) => {
      asked.push(lacking);
      return answers.shift();
    });
    expect(found).toMatchObject({ missing: 0, mismatched: 0 });
    expect(asked[1]?.problem?.code).toBe('VOLUME_REFUSED');
    expect(asked[1]?.problem?.message).toContain('cut.002: ');
    expect(found.taken).toHaveLength(12);
  });

  it.each([
    ['another bundle under the same name', async () => (await splitSample({ ...TWELVE, more: 'x' })).volumes[1] ?? ''],
    [
      'the same statement with one more signature',
      async () => {
        const { directory } = await splitSample();
        await signBundle(directory, testKey('b'));
        return (await splitBundle(directory, `${directory}.v`, { size: SMALL })).volumes[1]?.file ?? '';
      },
    ],
  ])('VOLUME_FOREIGN: %s', async (_, foreign) => {
    const { volumes } = await splitSample();
    await expectCodeAsync(readSet([volumes[0] ?? '', await foreign()]), 'VOLUME_FOREIGN');
  });

  it('VOLUME_REFUSED: a forged volume with the signed head and index, and a blob nobody signed', async () => {
    const { volumes } = await splitSample();
    const others = Object.fromEntries(Object.entries(TWELVE).map(([path, text]) => [path, `${text}x`]));
    const other = await splitSample(others);
    const [a = '', b = ''] = volumes;
    // Head and index of the one, blobs of the other.
    const theirs = readFileSync(other.volumes[1] ?? '');
    const ours = readFileSync(b);
    const blobsAt = (bytes: Buffer) => bytes.indexOf('blobs/sha256/');
    const forged = join(tempDirectory(), 'forged.002');
    writeFileSync(forged, Buffer.concat([ours.subarray(0, blobsAt(ours)), theirs.subarray(blobsAt(theirs))]));
    await expectCodeAsync(readSet([a, forged]), 'VOLUME_REFUSED');
    expect(statesOf(await checkVolumes([a, forged]))).toEqual(['intact', 'damaged']);
  });

  it('joins to nothing while something is lacking or damaged', async () => {
    const { volumes } = await splitSample();
    const [a = '', b = '', ...rest] = volumes;
    const out = join(tempDirectory(), 'joined.tar');
    await expectCodeAsync(joinVolumes([a, b], out), 'VOLUMES_INCOMPLETE');
    await expectCodeAsync(joinVolumes([a, damagedCopy(b), ...rest], out), 'BLOB_MISMATCH');
    await expectCodeAsync(joinVolumes([join(tempDirectory(), 'nowhere')], out), 'NOT_FOUND');
    expect(namesBeside(out)).toEqual([]);
    await joinVolumes([a, damagedCopy(b), ...rest, b], out);
    await expectCodeAsync(joinVolumes(volumes, out), 'OUTPUT_EXISTS');
  });
});

describe('looking at volumes', () => {
  it('names the damaged, the foreign, the double and the missing, whatever the order', async () => {
    const { volumes } = await splitSample();
    const foreign = (await splitSample({ ...TWELVE, more: 'x' })).volumes[0] ?? '';
    const [a = '', b = '', c = '', ...rest] = volumes;
    const all = await checkVolumes([c, a, b, ...rest]);
    expect(new Set(statesOf(all))).toEqual(new Set(['intact']));
    expect(all.lacking).toEqual({ blobs: 0, bytes: 0, volumes: [] });

    const some = await checkVolumes([a, damagedCopy(b), foreign, a]);
    expect(statesOf(some)).toEqual(['intact', 'damaged', 'foreign', 'duplicate']);
    expect(some.volumes[1]?.problem).toContain('1 blob in it');
    const alone = await checkVolumes([b]);
    expect(statesOf(alone)).toEqual(['intact']);
    expect(alone.lacking.volumes).toEqual(['sample-1.bundle.tar.001', 'sample-1.bundle.tar.003']);
    expect((await checkVolumes([a, c, ...rest])).lacking.volumes).toEqual(['sample-1.bundle.tar.002']);
  });

  it('a volume that is none, or has something behind its end, is refused and the others still looked at', async () => {
    const { volumes } = await splitSample();
    const [a = '', b = ''] = volumes;
    const longer = join(tempDirectory(), 'longer.002');
    copyFileSync(b, longer);
    appendFileSync(longer, 'x');
    const nothing = join(tempDirectory(), 'nothing');
    writeFileSync(nothing, Buffer.concat([Buffer.from('bundle.dsse.json'), Buffer.alloc(2048)]));
    const found = await checkVolumes([nothing, a, longer]);
    expect(statesOf(found)).toEqual(['refused', 'intact', 'damaged']);
    await expectCodeAsync(checkVolumes([join(tempDirectory(), 'nowhere')]), 'NOT_FOUND');
  });

  it('concludes names only from names that fit together', () => {
    const blobs = ['aa', 'bb'];
    const of = (...names: string[]) => missingVolumes(new Map(names.map((name) => [name, blobs])), ['cc']);
    expect(of('x.001')).toEqual(['x.002']);
    expect(of('x.001', 'x.003')).toEqual(['x.002', 'x.004']);
    expect(of('x.001', 'y.003')).toEqual([]);
    expect(of('x')).toEqual([]);
    expect(of('x.99999')).toEqual([]);
    expect(missingVolumes(new Map([['x.002', undefined]]), ['cc'])).toEqual(['x.001']);
  });

  it('reads a volume whose bytes are its own to the last', async () => {
    const { volumes } = await splitSample();
    const before = volumes.map(readBytes);
    await checkVolumes(volumes);
    expect(volumes.map(readBytes)).toEqual(before);
  });
});
