import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { of, race } from '../harness.ts';
import { type Row, seconds, times } from '../table.ts';
import { writeBundleTar, writeFiles } from './data.ts';
import { verifying } from './verify.ts';

/** 200 bytes: a rule without its samples. */
const SIZE = 200;
const CHILD = join(import.meta.dirname, 'build-child.ts');

/** Twice the files take at most a little over twice the time: nothing here is quadratic. */
export async function benchManyFiles(folder: string, most: number): Promise<Row[]> {
  const [half, all] = [await measured(folder, most / 2), await measured(folder, most)];
  return (['verify', 'build'] as const).map((work) => {
    const growth = all[work].cpu / half[work].cpu;
    const wall = all[work].wall / half[work].wall;
    return {
      work: `${work} ${most} files of ${SIZE} bytes`,
      ours: `${seconds(all[work].wall)} (${seconds(all[work].cpu)} CPU)`,
      beside: `${most / 2} files: ${seconds(half[work].wall)} (${seconds(half[work].cpu)} CPU)`,
      ratio: `${times(wall)} (${times(growth)} CPU)`,
      budget: '≤ 2.2×',
      // By CPU time: on a shared machine the wall clock tells of the neighbours' disk as much as of ours.
      kept: growth <= 2.2,
    };
  });
}

async function measured(folder: string, count: number) {
  const tar = join(folder, 'many.tar');
  const source = join(folder, 'many');
  const out = join(folder, 'many.bundle');
  await writeBundleTar(tar, count, SIZE);
  const verify = of(await race(2, [verifying('verify', tar, folder)]), 'verify');
  rmSync(tar);
  writeFiles(source, count, SIZE);
  const build = of(await race(1, [{ name: 'build', command: [process.execPath, CHILD, source, out] }]), 'build');
  rmSync(source, { recursive: true });
  rmSync(out, { recursive: true });
  return { verify, build };
}
