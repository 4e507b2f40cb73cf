import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { IndexEntry } from '../../bundle/index-lines.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { durableErrorFrom } from '../../durable/errors.ts';
import { InstallError } from '../errors.ts';

/**
 * Judges the unpacked files of a bundle of kind update: each a plain file of its signed size with exactly its signed
 * mode, whatever the umask, access lists or the file system made of it. Nothing of it is run.
 * @throws InstallError UPDATE_EMPTY or UPDATE_MODE (fault `untrusted`); DurableError
 */
export function assertUpdateFiles(entries: readonly IndexEntry[], filesDirectory: string): void {
  assertSomeUpdate(entries);
  for (const { path, mode, size } of entries) {
    const found = statOf(join(filesDirectory, ...path.split('/')));
    const isRight = found.isFile() && found.size === size && modeOf(found.mode, mode) === mode;
    if (!isRight) {
      const shown = escapeForTerminal(path);
      throw new InstallError('UPDATE_MODE', `${shown} can't be unpacked here as signed (mode ${mode}, ${size} bytes)`, {
        fault: 'untrusted',
      });
    }
  }
}

/** @throws InstallError UPDATE_EMPTY */
export function assertSomeUpdate(entries: readonly IndexEntry[]): void {
  if (entries.length > 0) return;
  throw new InstallError('UPDATE_EMPTY', 'there is no file in it', { fault: 'untrusted' });
}

/** Windows keeps no modes. */
function modeOf(found: number, signed: string): string {
  return process.platform === 'win32' ? signed : (found & 0o7777).toString(8).padStart(4, '0');
}

function statOf(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (cause) {
    throw durableErrorFrom(cause, 'look at', path);
  }
}
