import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packBundle } from '../../../src/bundle/pack-io.ts';
import { signBundle } from '../../../src/bundle/sign-io.ts';
import { splitBundle } from '../../../src/bundle/volumes/split-io.ts';
import { testKey } from '../../support/keys.ts';
import { tempDirectory } from '../../support/temp.ts';
import { buildSample, type Files } from '../sample.ts';

/** Twelve files of 3000 bytes, each its own. */
export const TWELVE: Files = Object.fromEntries(
  Array.from({ length: 12 }, (_, i) => [`file-${i}.txt`, `${String(i).padStart(2, '0')}\n`.repeat(1000)]),
);
/** Of these, a few fit into one volume, beside the head and the index. */
export const SMALL = 20_000;

export type VolumeSample = { readonly directory: string; readonly tar: string; readonly volumes: readonly string[] };

/** A signed bundle, its tar, and its volumes. */
export async function splitSample(files: Files = TWELVE, size = SMALL): Promise<VolumeSample> {
  const { directory } = await buildSample(files);
  await signBundle(directory, testKey('a'));
  const tar = join(tempDirectory(), 'sample-1.bundle.tar');
  await packBundle(directory, tar);
  const { volumes } = await splitBundle(tar, tar, { size });
  return { directory, tar, volumes: volumes.map(({ file }) => file) };
}

/** What lies beside a file, hidden names too. */
export function namesBeside(path: string): string[] {
  return readdirSync(dirname(path)).sort();
}
