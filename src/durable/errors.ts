import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';

export type DurableErrorCode = 'LOCKED' | 'NO_SPACE' | 'NO_PERMISSION' | 'READ_ONLY' | 'NOT_FOUND' | 'IO';

/** Anything the file system refuses. */
export class DurableError extends DaemonEyeError<DurableErrorCode> {}

const GONE = 'the device reports an error: was it pulled, or is it damaged?';

const ERRNO: Readonly<Record<string, readonly [DurableErrorCode, string]>> = {
  ENOSPC: ['NO_SPACE', 'the disk is full; free some space and try again'],
  EDQUOT: ['NO_SPACE', 'the disk quota is used up; free some space and try again'],
  EACCES: ['NO_PERMISSION', 'this user may not; check the owner and mode, or run as the right user'],
  EPERM: ['NO_PERMISSION', 'this user may not; check the owner and mode, or run as the right user'],
  EROFS: ['READ_ONLY', 'the file system is read-only; remount it writable or choose another place'],
  EIO: ['IO', GONE],
  ENODEV: ['IO', GONE],
  ENXIO: ['IO', GONE],
  ENOENT: ['NOT_FOUND', 'it does not exist; check the path'],
};

/**
 * Turns what `node:fs` threw into a DurableError: ENOSPC and EDQUOT to NO_SPACE, EACCES and EPERM to NO_PERMISSION,
 * EROFS to READ_ONLY, ENOENT to NOT_FOUND, anything else to IO. A DurableError stays as it is.
 * @param doing what was tried, to follow "could not": `write`, `open`
 */
export function durableErrorFrom(cause: unknown, doing: string, path: string): DurableError {
  if (cause instanceof DurableError) return cause;
  const errno = errnoOf(cause);
  const [code, advice] = ERRNO[errno ?? ''] ?? ['IO', `${escapeForTerminal(messageOf(cause))}; check the disk`];
  return new DurableError(code, `could not ${doing} ${escapeForTerminal(path)}: ${advice}`, { cause });
}

/** The errno name of a system error, such as `ENOENT`. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}
