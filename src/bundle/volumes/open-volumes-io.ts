import { basename } from 'node:path';
import { type Decrypt, openBundle } from '../read-io.ts';
import type { BundleReader } from '../reader.ts';
import { type NextVolume, VolumeSet, type VolumeSource } from './volume-set.ts';

/** A volume by its path. */
export function volumeAt(path: string, decrypt?: Decrypt): VolumeSource {
  return { name: basename(path), open: () => openBundle(path, decrypt) };
}

/**
 * Opens a bundle that lies in one place or in several.
 * @param next asked for another volume when these are not all
 * @throws as `openBundle`, when it is one; {@link VolumeSet} opens each when its turn comes
 */
export async function openVolumes(
  paths: readonly string[],
  next?: NextVolume,
  decrypt?: Decrypt,
): Promise<BundleReader> {
  const [first = '', ...others] = paths;
  if (others.length === 0 && next === undefined) return openBundle(first, decrypt);
  return new VolumeSet([volumeAt(first, decrypt), ...others.map((path) => volumeAt(path, decrypt))], next);
}
