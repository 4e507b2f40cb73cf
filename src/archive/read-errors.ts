import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { ArchiveError, hostile } from './errors.ts';

/** The errno name of a system error, if it is one. */
export function errnoOf(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/**
 * Turns a system error into ours, with the path as the reader's user knows it. Errors of ours pass unchanged.
 * @returns ArchiveError NOT_FOUND, NO_PERMISSION, DIRECTORY_LINK, DIRECTORY_SPECIAL or READ_FAILED, or what was thrown
 */
export function readErrorFrom(thrown: unknown, path: string): unknown {
  // Ours have a `code` too, but no errno.
  if (thrown instanceof DaemonEyeError) return thrown;
  const errno = errnoOf(thrown);
  if (errno === undefined) return thrown;
  const shown = `"${escapeForTerminal(path)}"`;
  switch (errno) {
    case 'ENOENT':
    // A component on the way is a file.
    case 'ENOTDIR':
      return new ArchiveError('NOT_FOUND', `${shown} is not there`, { cause: thrown });
    case 'EACCES':
    case 'EPERM':
      return new ArchiveError('NO_PERMISSION', `no permission to read ${shown}`, { cause: thrown });
    case 'ELOOP':
      return hostile('DIRECTORY_LINK', `${shown} is a symbolic link; only files and directories are allowed`, thrown);
    case 'ENXIO':
      return hostile('DIRECTORY_SPECIAL', `${shown} is a device, pipe or socket; remove it`, thrown);
    case 'EIO':
    case 'ENODEV':
      return new ArchiveError('READ_FAILED', `can't read ${shown}: the device reports an error: was it pulled?`, {
        cause: thrown,
      });
    default:
      return new ArchiveError('READ_FAILED', `can't read ${shown}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
