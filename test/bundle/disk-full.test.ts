import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildBundle } from '../../src/bundle/build-io.ts';
import { packBundle } from '../../src/bundle/pack-io.ts';
import { directoryBlobSink } from '../../src/bundle/read-io.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { ARGUMENTS, buildSample, readWhole, writeTree } from './sample.ts';

const LARGE = { 'a-small': 'x', large: new Uint8Array(3 * 1024 * 1024).fill(7) };

/** A file system of one MiB, or undefined where one can't be made. */
function tinyDisk(): string | undefined {
  const directory = join(tempDirectory(), 'tiny');
  mkdirSync(directory);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'pipe' });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', [directory], { stdio: 'pipe' }));
  return directory;
}

describe('a full disk leaves nothing half-written', () => {
  it('NO_SPACE: while building', async ({ skip }) => {
    const disk = tinyDisk() ?? skip('a tiny file system needs root');
    const source = writeTree(tempDirectory(), LARGE);
    await expectCodeAsync(buildBundle({ ...ARGUMENTS, source, out: join(disk, 'x.bundle') }), 'NO_SPACE');
    expect(readdirSync(disk)).toEqual([]);
  });

  it('OUTPUT_SPACE: before packing', async ({ skip }) => {
    const disk = tinyDisk() ?? skip('a tiny file system needs root');
    const { directory } = await buildSample(LARGE);
    await expectCodeAsync(packBundle(directory, join(disk, 'x.tar')), 'OUTPUT_SPACE');
    expect(readdirSync(disk)).toEqual([]);
  });

  it('NO_SPACE: while packing, where something else takes the room meanwhile', async ({ skip }) => {
    const disk = tinyDisk() ?? skip('a tiny file system needs root');
    const { directory } = await buildSample({ fits: new Uint8Array(700 * 1024).fill(7) });
    const crowd = async function* (pieces: AsyncIterable<Uint8Array>) {
      writeFileSync(join(disk, 'other'), new Uint8Array(512 * 1024));
      yield* pieces;
    };
    await expectCodeAsync(packBundle(directory, join(disk, 'x.tar'), crowd), 'NO_SPACE');
    rmSync(join(disk, 'other'));
    expect(readdirSync(disk)).toEqual([]);
  });

  it('NO_SPACE: while staging', async ({ skip }) => {
    const disk = tinyDisk() ?? skip('a tiny file system needs root');
    const { directory } = await buildSample(LARGE);
    await expectCodeAsync(readWhole(directory, directoryBlobSink(join(disk, 'stage'))), 'NO_SPACE');
    expect(readdirSync(join(disk, 'stage')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  // Needs no privilege: a limit on the size of files a process may write stands in for the disk.
  it.each(['build', 'pack'])('a limit on file sizes, while running %s', async (what) => {
    const { directory, source } = await buildSample(LARGE);
    const place = tempDirectory();
    const from = (file: string) => JSON.stringify(join(import.meta.dirname, '../../src/bundle', file));
    const script = `
      const { buildBundle } = await import(${from('build-io.ts')});
      const { packBundle } = await import(${from('pack-io.ts')});
      const input = ${JSON.stringify({ ...ARGUMENTS, rootChain: [], source, out: join(place, 'x') })};
      const work = ${what === 'build' ? 'buildBundle(input)' : `packBundle(${JSON.stringify(directory)}, input.out)`};
      await work.catch((error) => console.log(error.name, error.code));`;
    writeFileSync(join(source, 'script.mjs'), script);
    const command = 'ulimit -f 2048 && exec "$0" "$1"';
    const child = spawnSync('sh', ['-c', command, process.execPath, join(source, 'script.mjs')], { encoding: 'utf8' });
    expect(child.stderr).toBe('');
    expect(child.stdout.trim()).toBe('DurableError IO');
    expect(readdirSync(place)).toEqual([]);
  });
});
