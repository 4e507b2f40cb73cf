import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { durableErrorFrom, errnoOf } from './errors.ts';
import { mustWriteThrough, throughFlag, writeThroughName } from './write-through-io.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Writes a file whole or not at all, whatever happens: a temporary file in the same directory, fsync, rename, fsync of
 * the directory. When it returns, the bytes survive a power cut under that name. An existing file is replaced.
 * @param content the bytes, or the pieces they come in
 * @param options.mode permission bits, exactly (the umask is not applied); default 0600
 * @throws DurableError
 */
export function writeFileDurably(
  path: string,
  content: Uint8Array | Iterable<Uint8Array>,
  options: { readonly mode?: number } = {},
): void {
  const temporary = temporaryName(path);
  try {
    writeAndSync(temporary, content instanceof Uint8Array ? [content] : content, options.mode ?? PRIVATE_FILE);
    renameSync(temporary, path);
    syncNames(path);
  } catch (cause) {
    removeAnyway(temporary);
    throw durableErrorFrom(cause, 'write', path);
  }
}

/**
 * Removes what is of no use after something else went wrong, as far as that can be done: what went wrong first is what
 * counts, and a medium that was pulled takes nothing back.
 */
export function removeAnyway(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
    syncDirectory(dirname(path));
  } catch {
    // It stays under a name that nobody takes for anything.
  }
}

/** A fresh name beside `path`, hidden, so that nobody takes an unfinished file for a finished one. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
}

function writeAndSync(path: string, pieces: Iterable<Uint8Array>, mode: number): void {
  // O_EXCL and O_NOFOLLOW: never through something that was put there for us to follow.
  const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | throughFlag(), mode);
  try {
    // Refused on a descriptor; the name is ours alone, and nobody can have put a link there.
    if (mustWriteThrough()) chmodSync(path, mode);
    for (const piece of pieces) {
      for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done, piece.length - done);
    }
    if (mustWriteThrough()) return;
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes the name of what was just moved there survive a power cut. */
function syncNames(path: string): void {
  if (mustWriteThrough()) writeThroughName(path);
  else syncDirectory(dirname(path));
}

/**
 * Makes the names in a directory survive a power cut: what was created, renamed or removed there before.
 *
 * Under Node's permission model it can't, and does nothing: there the name of a new file becomes durable with the first
 * synchronous write to it, and what was removed may be there again after a power cut.
 * @throws DurableError
 */
export function syncDirectory(path: string): void {
  // Windows can't open a directory; NTFS journals names by itself.
  if (process.platform === 'win32' || mustWriteThrough()) return;
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    // A file system without fsync on directories (some network and FUSE ones) answers EINVAL: there is no more to do.
    if (errnoOf(cause) === 'EINVAL') return;
    throw durableErrorFrom(cause, 'sync the directory', path);
  }
}

/**
 * Renames, replacing what is at `to`, and makes both names durable. The content must be durable already.
 * @throws DurableError
 */
export function renameDurably(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    throw durableErrorFrom(cause, `move to ${basename(to)}`, from);
  }
  syncNames(to);
  if (dirname(from) !== dirname(to)) syncDirectory(dirname(from));
}

/**
 * Creates a directory and its missing parents, durably. One that exists already stays as it is.
 * @param options.mode permission bits of each directory created, exactly; default 0700
 * @throws DurableError, IO also when something else has that name
 */
export function createDirectoryDurably(path: string, options: { readonly mode?: number } = {}): void {
  const mode = options.mode ?? PRIVATE_DIRECTORY;
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode);
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
    const parent = dirname(path);
    if (errnoOf(cause) !== 'ENOENT' || parent === path) throw durableErrorFrom(cause, 'create the directory', path);
    createDirectoryDurably(parent, options);
    createDirectoryDurably(path, options);
    return;
  }
  syncDirectory(dirname(path));
}
