import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeHex } from '../core/bytes.ts';
import { sha256 } from '../core/digest.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { InstallError } from '../install/errors.ts';
import type { ReadPin } from '../install/pinned-files-io.ts';
import { MAX_PINNED_BYTES, PINNED_DIRECTORY, parsePinnedFilePath, pinnedFilePath } from '../verify/release-pins.ts';
import type { RootDocument } from '../verify/root-document.ts';
import { readInputFile } from './files-io.ts';

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

/** What a finished version pins, from the same workspace. */
export function readWorkspacePins(directory: string): ReadPin {
  return (name, { sha256: wanted }) => {
    const path = join(directory, pinnedFilePath(wanted));
    if (!existsSync(path)) {
      const shown = escapeForTerminal(path);
      throw new InstallError('PIN_MISSING', `the file that ${name} is pinned to (sha256:${wanted}) is not at ${shown}`);
    }
    const bytes = readInputFile(path, { maxBytes: MAX_PINNED_BYTES });
    if (encodeHex(sha256(bytes)) === wanted) return bytes;
    throw new InstallError('PIN_MISSING', `${escapeForTerminal(path)} is not the file that ${name} is pinned to`);
  };
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
