import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { PINNED_DIRECTORY, parsePinnedFilePath, pinnedFilePath } from '../verify/release-pins.ts';
import type { RootDocument } from '../verify/root-document.ts';

/**
 * The files that a trust root in the making pins, in its workspace as a bundle of kind trust holds them: so
 * `bundle build` takes the workspace as it is once the version is finished.
 */
export function keepPinnedFile(directory: string, sha256: string, bytes: Uint8Array): string {
  const path = join(directory, pinnedFilePath(sha256));
  createDirectoryDurably(dirname(path), { mode: 0o755 });
  writeFileDurably(path, bytes, { mode: 0o644 });
  return path;
}

/** Removes the copies that none of these documents names; whatever else lies there is left alone. */
export function removeUnpinned(directory: string, documents: readonly RootDocument[]): void {
  const folder = join(directory, PINNED_DIRECTORY);
  if (!existsSync(folder)) return;
  const pinned = new Set(documents.flatMap(({ releases = {} }) => Object.values(releases).map(({ sha256 }) => sha256)));
  for (const name of readdirSync(folder)) {
    if (parsePinnedFilePath(pinnedFilePath(name)) !== undefined && !pinned.has(name)) rmSync(join(folder, name));
  }
}
