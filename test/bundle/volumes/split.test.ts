import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinVolumes } from '../../../src/bundle/volumes/join-io.ts';
import { MEDIA, parseMediaSize } from '../../../src/bundle/volumes/sizes.ts';
import { splitBundle } from '../../../src/bundle/volumes/split-io.ts';
import { DaemonEyeError } from '../../../src/core/errors.ts';
import { expectCode, expectCodeAsync } from '../../support/expect-code.ts';
import { runs } from '../../support/slow.ts';
import { tempDirectory } from '../../support/temp.ts';
import { buildSample, hexOf, readBytes, readWhole } from '../sample.ts';
import { namesBeside, SMALL, splitSample, TWELVE } from './volumes.ts';

describe('splitting', () => {
  it('cuts a bundle into volumes that fit, each a bundle of the same head and index, together all of it', async () => {
    const { tar, volumes } = await splitSample();
    expect(volumes.length).toBeGreaterThan(2);
    const whole = await readWhole(tar);
    const blobs: string[] = [];
    for (const volume of volumes) {
      expect(statSync(volume).size).toBeLessThanOrEqual(SMALL);
      expect((statSync(volume).mode & 0o777).toString(8)).toBe('644');
      const part = await readWhole(volume);
      expect(part.envelope).toEqual(whole.envelope);
      expect(part.entries).toEqual(whole.entries);
      expect(part.findings.mismatched).toEqual([]);
      blobs.push(
        ...whole.entries.map(({ sha256 }) => sha256).filter((sha256) => !part.findings.missing.includes(sha256)),
      );
    }
    expect(blobs.toSorted()).toEqual(whole.entries.map(({ sha256 }) => sha256).toSorted());
  });

  it('makes the same volumes of the directory and of the tar, and one of them again by its number', async () => {
    const { directory, volumes } = await splitSample();
    const shelf = tempDirectory();
    await splitBundle(directory, join(shelf, 'again'), { size: SMALL });
    volumes.forEach((volume, i) => {
      expect(readBytes(join(shelf, `again.00${i + 1}`))).toEqual(readBytes(volume));
    });
    const { volumes: only, count } = await splitBundle(directory, join(shelf, 'one'), {
      size: SMALL,
      only: new Set([2]),
    });
    expect(only).toHaveLength(1);
    expect(count).toBe(volumes.length);
    expect(readdirSync(shelf).filter((name) => name.startsWith('one'))).toEqual(['one.002']);
    expect(readBytes(join(shelf, 'one.002'))).toEqual(readBytes(volumes[1] ?? ''));
    // Beside the others, which stay.
    rmSync(join(shelf, 'again.003'));
    await splitBundle(directory, join(shelf, 'again'), { size: SMALL, only: new Set([3]) });
    expect(readBytes(join(shelf, 'again.003'))).toEqual(readBytes(volumes[2] ?? ''));
  });

  it('of any size, splits and joins to the same tar', async () => {
    const { directory, tar } = await splitSample();
    const [least, most] = [12_000, 70_000];
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: least, max: most }), async (size) => {
        const shelf = tempDirectory();
        const { volumes } = await splitBundle(directory, join(shelf, 'v'), { size });
        for (const { bytes } of volumes) expect(bytes).toBeLessThanOrEqual(size);
        const shuffled = volumes.map(({ file }) => file).toReversed();
        const joined = join(shelf, 'joined.tar');
        await joinVolumes(shuffled, joined);
        expect(readBytes(joined)).toEqual(readBytes(tar));
      }),
      { numRuns: runs(8, 200) },
    );
  });

  it('a bundle of no files is one volume', async () => {
    const { directory } = await buildSample({});
    const { volumes, count } = await splitBundle(directory, `${directory}.v`, { size: SMALL });
    expect([volumes.length, count]).toEqual([1, 1]);
    expect((await readWhole(`${directory}.v.001`)).entries).toEqual([]);
  });

  it('refuses what can not be, and leaves nothing', async () => {
    const { directory } = await buildSample(TWELVE);
    const out = join(tempDirectory(), 'v');
    await expectCodeAsync(splitBundle(directory, out, { size: 4000 }), 'SPLIT_SIZE');
    await expectCodeAsync(splitBundle(directory, out, { size: SMALL, only: new Set([1, 99]) }), 'SPLIT_SIZE');
    expect(namesBeside(out)).toEqual([]);
    writeFileSync(`${out}.002`, 'mine');
    await expectCodeAsync(splitBundle(directory, out, { size: SMALL }), 'OUTPUT_EXISTS');
    expect(namesBeside(out)).toEqual(['v.002']);
    expect(readFileSync(`${out}.002`, 'utf8')).toBe('mine');
    await expectCodeAsync(splitBundle(directory, join(directory, 'v'), { size: SMALL }), 'OUTPUT_INSIDE_SOURCE');
  });

  it('goes on where it was interrupted: what is there already and the same is kept, and nothing else', async () => {
    const { directory } = await buildSample(TWELVE);
    const out = join(tempDirectory(), 'v');
    const { volumes } = await splitBundle(directory, out, { size: SMALL });
    const [first = '', second = '', third = ''] = volumes.map(({ file }) => file);
    const [bytes, stamp] = [readBytes(second), statSync(first).mtimeMs];
    rmSync(second);
    const again = await splitBundle(directory, out, { size: SMALL });
    expect(again.volumes.map(({ kept }) => kept)).toEqual(
      volumes.map(({ file }) => (file === second ? undefined : true)),
    );
    expect(readBytes(second)).toEqual(bytes);
    expect(statSync(first).mtimeMs).toBe(stamp);
    expect(again.volumes.map(({ sha256 }) => sha256)).toEqual(volumes.map(({ sha256 }) => sha256));

    const changes: readonly [string, (path: string) => void][] = [
      ['one byte of it is another', (path) => writeFileSync(path, Buffer.from(bytes).fill('x', bytes.length - 1))],
      ['it is shorter', (path) => writeFileSync(path, bytes.subarray(0, 700))],
      ['it is empty', (path) => writeFileSync(path, '')],
      ['it is longer', (path) => writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(512)]))],
      ['it is a directory', (path) => mkdirSync(path)],
      ['it is a pipe', (path) => void execFileSync('mkfifo', [path])],
    ];
    for (const [how, change] of changes) {
      rmSync(second, { recursive: true });
      rmSync(third);
      change(second);
      await expectCodeAsync(splitBundle(directory, out, { size: SMALL }), 'OUTPUT_EXISTS');
      // Neither what was there nor what is somebody else's is touched; what this run made is gone.
      expect([how, readBytes(first).length, statSync(second).isFile(), namesBeside(out).includes('v.003')]).toEqual([
        ...[how, volumes[0]?.bytes, !/directory|pipe/.test(how), false],
      ]);
      copyFileSync(first, third);
    }
    rmSync(second, { recursive: true });
    symlinkSync(first, second);
    await expect(splitBundle(directory, out, { size: SMALL })).rejects.toThrow(DaemonEyeError);
    expect(readlinkSync(second)).toBe(first);
  });

  it('a blob that is not as signed: nothing is written', async () => {
    const { directory } = await buildSample(TWELVE);
    const blob = join(directory, 'blobs/sha256', hexOf(String(TWELVE['file-3.txt'])));
    chmodSync(blob, 0o644);
    writeFileSync(blob, 'x'.repeat(3000));
    const out = join(tempDirectory(), 'v');
    await expectCodeAsync(splitBundle(directory, out, { size: SMALL }), 'BLOB_MISMATCH');
    expect(namesBeside(out)).toEqual([]);
  });

  it('ends when asked to, and leaves nothing', async () => {
    const { directory } = await buildSample(TWELVE);
    const out = join(tempDirectory(), 'v');
    const controller = new AbortController();
    const progress = (done: number) => {
      if (done > 20_000) controller.abort(new Error('enough'));
    };
    await expect(splitBundle(directory, out, { size: SMALL, signal: controller.signal, progress })).rejects.toThrow(
      'enough',
    );
    expect(namesBeside(out)).toEqual([]);
  });

  it('splits a volume again: what it holds', async () => {
    const { volumes } = await splitSample(TWELVE, 40_000);
    const copy = join(tempDirectory(), 'copy');
    copyFileSync(volumes[0] ?? '', copy);
    const { volumes: smaller, missing } = await splitBundle(copy, copy, { size: SMALL });
    expect(smaller.length).toBeGreaterThan(1);
    expect(missing).toBeGreaterThan(0);
  });
});

describe('sizes', () => {
  it.each([
    ['650M', 650 * 1024 * 1024],
    ['650MiB', 650 * 1024 * 1024],
    ['650MB', 650_000_000],
    ['4G', 4 * 1024 ** 3],
    ['12345', 12345],
    ['fat32', 4 * 1024 ** 3 - 1],
    ['dvd', MEDIA['dvd']],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseMediaSize(text)).toBe(bytes);
  });

  it.each(['', '0', '-1', '1.5G', '650m', '650 M', '9999999999999T', 'constructor', 'floppy', '٣'])(
    '%j is none',
    (text) => {
      expectCode(() => parseMediaSize(text), 'SPLIT_SIZE');
    },
  );
});
