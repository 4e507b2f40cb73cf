import { basename } from 'node:path';
import { type Decrypt, openBundle } from '../read-io.ts';
import type { BundleReader } from '../reader.ts';
import { type NextVolume, VolumeSet, type VolumeSource } from './volume-set.ts';

export type VolumeOptions = {
  readonly decrypt?: Decrypt | undefined;
  /** Told the path of each volume as it is about to be opened: later its stick may be gone. */
  readonly opening?: (path: string) => void;
};

/** A volume by its path. */
export function volumeAt(path: string, { decrypt, opening }: VolumeOptions = {}): VolumeSource {
  return {
    name: basename(path),
    open: () => {
      opening?.(path);
      return openBundle(path, decrypt);
    },
  };
}

/**
 * Opens a bundle that lies in one place or in several.
 * @param next asked for another volume when these are not all
 * @throws as `openBundle`, when it is one; {@link VolumeSet} opens each when its turn comes
 */
export async function openVolumes(
  paths: readonly string[],
  next?: NextVolume,
  options: VolumeOptions = {},
): Promise<BundleReader> {
  const [path = '', ...others] = paths;
  const first = volumeAt(path, options);
  if (others.length === 0 && next === undefined) return first.open();
  return new VolumeSet([first, ...others.map((other) => volumeAt(other, options))], next);
}
