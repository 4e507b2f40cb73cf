import { accessSync, closeSync, constants, lstatSync, openSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { DurableError, durableErrorFrom, errnoOf } from './errors.ts';

/** Held until released, or until the process ends, however it ends. */
export type Lock = Disposable & { readonly path: string; release(): void };

/**
 * Held by this process. Also keeps the databases from being garbage-collected, which would let go of the locks.
 */
const held = new Map<string, DatabaseSync>();

const SQLITE_BUSY = 5;

/**
 * Takes a lock that one holder on this machine can have at a time, or fails at once.
 *
 * Node has no flock, so the lock is SQLite's own exclusive lock on a small database file, which the kernel lets go of
 * when the process dies, even by SIGKILL: there are no stale locks to clean up. The file stays; only the lock goes.
 * Not for network file systems, whose locks can't be relied on.
 *
 * Do not open the file by other means: closing any descriptor of it drops the process's locks on it (POSIX fcntl).
 * @param path of the lock file; created with mode 0600, so that other users can't hold it
 * @throws DurableError LOCKED if someone has it, this process included; else as `durableErrorFrom`
 */
export function acquireLock(path: string): Lock {
  const real = createLockFile(path);
  if (held.has(real)) throw locked(path);
  const database = openDatabase(path, real);
  held.set(real, database);
  const release = () => {
    if (held.get(real) !== database) return;
    held.delete(real);
    database.close();
  };
  return { path, release, [Symbol.dispose]: release };
}

/** @returns the path without symbolic links, by which this process knows the lock */
function createLockFile(path: string): string {
  try {
    const real = join(realpathSync(dirname(path)), basename(path));
    createIfMissing(real);
    // A link could make us lock, and SQLite write, a file of somebody's choice.
    if (!lstatSync(real).isFile()) {
      throw new DurableError('IO', `could not lock ${escapeForTerminal(path)}: it is not a plain file; remove it`);
    }
    accessSync(real, constants.W_OK);
    return real;
  } catch (cause) {
    throw durableErrorFrom(cause, 'lock', path);
  }
}

function createIfMissing(path: string): void {
  try {
    // Opened only if new (O_EXCL): closing a descriptor of a file that is locked here would drop that lock.
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw cause;
  }
}

function openDatabase(path: string, real: string): DatabaseSync {
  const database = new DatabaseSync(real, { open: false, timeout: 0 });
  try {
    database.open();
    // Nothing is ever written, so no journal is needed beside the file.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    if (database.isOpen) database.close();
    if (isBusy(cause)) throw locked(path, cause);
    throw durableErrorFrom(cause, 'lock', path);
  }
}

function isBusy(thrown: unknown): boolean {
  return thrown instanceof Error && 'errcode' in thrown && (Number(thrown.errcode) & 0xff) === SQLITE_BUSY;
}

function locked(path: string, cause?: unknown): DurableError {
  const message = `${escapeForTerminal(path)} is locked: another process is using it; wait for it or stop it`;
  return new DurableError('LOCKED', message, { cause });
}
