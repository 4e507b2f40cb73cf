import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { errnoOf } from '../durable/errors.ts';
import { removeAnyway, writeFileDurably } from '../durable/files-io.ts';
import { CliError } from './errors.ts';

/** For a document someone names on the command line; larger things are streamed, not read. */
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads a file that the command line names, whole. `-` is not special. Works for pipes (`<(…)`) too.
 * @throws CliError FILE_NOT_FOUND, FILE_DENIED, FILE_IS_DIRECTORY, FILE_TOO_LARGE or FILE_UNREADABLE
 */
export function readInputFile(path: string, options: { readonly maxBytes?: number } = {}): Uint8Array {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    return readBounded(fd, path, maxBytes);
  } catch (cause) {
    throw readError(cause, path);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Counts what is read instead of believing a size: a file may grow, and a pipe or /proc file has none. */
function readBounded(fd: number, path: string, maxBytes: number): Uint8Array {
  const chunks: Buffer[] = [];
  let total = 0;
  const step = Math.min(maxBytes + 1, Math.max(fstatSync(fd).size + 1, 64 * 1024));
  for (;;) {
    const chunk = Buffer.allocUnsafe(step);
    const count = readSync(fd, chunk, 0, step, null);
    if (count === 0) break;
    total += count;
    if (total > maxBytes) {
      const message = `${named(path)} is over ${maxBytes} bytes, too large for what it should be; check the path`;
      throw new CliError('FILE_TOO_LARGE', message);
    }
    chunks.push(chunk.subarray(0, count));
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function readError(cause: unknown, path: string): CliError {
  if (cause instanceof CliError) return cause;
  switch (errnoOf(cause)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new CliError('FILE_NOT_FOUND', `there is no file ${named(path)}; check the path`, { cause });
    case 'EACCES':
    case 'EPERM':
      return new CliError('FILE_DENIED', `this user may not read ${named(path)}; check its owner and mode`, { cause });
    case 'EISDIR':
      return new CliError('FILE_IS_DIRECTORY', `${named(path)} is a directory; name a file in it`, { cause });
    default:
      return new CliError('FILE_UNREADABLE', `${named(path)} can't be read: ${messageOf(cause)}`, { cause });
  }
}

/** Whether there is a directory at `path`; false for anything else and for nothing. */
export function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

export type NewFile = { readonly path: string; readonly bytes: Uint8Array; readonly mode: number };

/** Spares someone a question whose answer could not be used. @throws CliError FILE_EXISTS */
export function refuseExisting(paths: readonly string[]): void {
  for (const path of paths) if (existsSync(path)) throw existsAlready(path);
}

/**
 * Creates files that must not exist yet, durably, all of them or none: if one can't be made, those before it are
 * removed again. Each name is claimed by an empty file first, so that nothing that appears meanwhile is overwritten.
 * @throws CliError FILE_EXISTS or FILE_UNWRITABLE; DurableError
 */
export function createFilesDurably(files: readonly NewFile[]): void {
  const claimed: string[] = [];
  try {
    for (const { path, mode } of files) {
      claim(path, mode);
      claimed.push(path);
    }
    for (const { path, bytes, mode } of files) writeFileDurably(path, bytes, { mode });
  } catch (cause) {
    for (const path of claimed) removeAnyway(path);
    throw cause;
  }
}

function claim(path: string, mode: number): void {
  try {
    closeSync(openSync(path, 'wx', mode));
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') throw existsAlready(path, cause);
    const reason = errnoOf(cause) === 'ENOENT' ? 'its directory does not exist' : messageOf(cause);
    throw new CliError('FILE_UNWRITABLE', `${named(path)} can't be created: ${escapeForTerminal(reason)}`, { cause });
  }
}

function existsAlready(path: string, cause?: unknown): CliError {
  const message = `${named(path)} exists already and is left alone; choose another name or move it away`;
  return new CliError('FILE_EXISTS', message, { cause });
}

function named(path: string): string {
  return escapeForTerminal(path);
}
