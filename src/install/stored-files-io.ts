import { createHash } from 'node:crypto';
import { createReadStream, lstatSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { tampered } from './errors.ts';
import type { StoredBundle } from './stored-bundle-io.ts';

/**
 * Every file of a stored bundle is there, is what was signed, and there is no other.
 * @throws InstallError STATE_TAMPERED, naming the first that is not
 */
export async function assertFilesUnchanged(
  { entries, files }: Pick<StoredBundle, 'entries' | 'files'>,
  signal?: AbortSignal,
): Promise<void> {
  const listed = new Set(entries.map(({ path }) => path));
  const stranger = filesIn(files).find((path) => !listed.has(path));
  if (stranger !== undefined) throw changed(files, stranger, 'is not part of the bundle');
  for (const { path, sha256: expected } of entries) {
    signal?.throwIfAborted();
    const file = join(files, ...path.split('/'));
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat?.isFile() !== true) throw changed(files, path, 'is gone');
    if ((await hashFile(file, signal)) !== expected) throw changed(files, path, 'is not as signed');
  }
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)).replaceAll(sep, '/'));
  } catch (cause) {
    throw tampered(`${directory} can't be read: ${messageOf(cause)}`, { cause });
  }
}

async function hashFile(path: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { ...(signal === undefined ? {} : { signal }) });
  return hash.digest('hex');
}

function changed(files: string, path: string, how: string): Error {
  return tampered(`${escapeForTerminal(path)} in ${files} ${how}: it was changed here; apply the bundle again`);
}
