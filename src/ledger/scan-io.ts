import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { DurableError, durableErrorFrom } from '../durable/errors.ts';
import { ENTRIES_DIRECTORY, entriesFileName, parseEntriesFileName } from './format.ts';

/** A stretch of a file up to a newline, or up to the end of the file or the limit when no newline came. */
export type RawLine = {
  /** Without the newline. */
  readonly bytes: Uint8Array;
  /** Where it starts in the file. */
  readonly offset: number;
  /** Whether a newline ends it. Only the last of a scan can lack it. */
  readonly ended: boolean;
};

const CHUNK_BYTES = 128 * 1024;
const SMALLEST_CHUNK_BYTES = 4096;
const NEWLINE = 0x0a;
const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/**
 * Opens a plain file for reading. What lies in a ledger's directory may be hostile: a link would lead out of it, a
 * FIFO would hang us.
 * @throws DurableError
 */
export function openPlainFile(path: string): number {
  let fd: number | undefined;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    throw durableErrorFrom(cause, 'open', path);
  }
  closeSync(fd);
  throw new DurableError('IO', `could not open ${escapeForTerminal(path)}: it is not a plain file`);
}

/** A whole plain file of at most `maxBytes`. @throws DurableError */
export function readPlainFile(path: string, maxBytes: number): Uint8Array {
  const fd = openPlainFile(path);
  try {
    const bytes = new Uint8Array(Math.min(fstatSync(fd).size, maxBytes) + 1);
    const length = readFully(fd, bytes, 0);
    if (length < bytes.length) return bytes.subarray(0, length);
  } catch (cause) {
    throw durableErrorFrom(cause, 'read', path);
  } finally {
    closeSync(fd);
  }
  throw new DurableError('IO', `could not read ${escapeForTerminal(path)}: it is over ${maxBytes} bytes, or growing`);
}

/** Fills `into` from the file's `position`; returns how much there was. */
export function readFully(fd: number, into: Uint8Array, position: number): number {
  let length = 0;
  while (length < into.length) {
    const count = readSync(fd, into, length, into.length - length, position + length);
    if (count === 0) break;
    length += count;
  }
  return length;
}

/** Bytes of lines that a log has. @throws DurableError */
export function entriesBytes(directory: string): number {
  const { firstSeqs } = listEntries(directory);
  return firstSeqs.reduce((total, firstSeq) => {
    const fd = openPlainFile(join(directory, ENTRIES_DIRECTORY, entriesFileName(firstSeq)));
    try {
      return total + fstatSync(fd).size;
    } finally {
      closeSync(fd);
    }
  }, 0);
}

/**
 * The lines of a file in batches of about a megabyte, in flat memory whatever the file holds: a stretch over
 * `maxLine` bytes without a newline ends the scan. The bytes of a batch are good until the next batch but one is asked
 * for; those of the last two stay.
 * @param start offset of the first line
 * @throws DurableError
 */
export function* scanLines(path: string, maxLine: number, start = 0): Generator<RawLine[], void, undefined> {
  const fd = openPlainFile(path);
  try {
    // Two buffers in turn: a new one for every megabyte would wait for the garbage collector, hundreds at a time.
    let [buffer, other] = [new Uint8Array(0), new Uint8Array(0)];
    // Room for what is left of the line before, so that every line is a slice of one buffer.
    let carried = new Uint8Array(0);
    let offset = start;
    for (;;) {
      const ahead = fstatSync(fd).size - offset - carried.length + 1;
      const chunk = Math.min(CHUNK_BYTES, Math.max(SMALLEST_CHUNK_BYTES, ahead));
      [buffer, other] = [other, buffer];
      if (buffer.length < carried.length + chunk) {
        buffer = new Uint8Array(chunk < CHUNK_BYTES ? carried.length + chunk : CHUNK_BYTES + maxLine + 1);
      }
      buffer.set(carried);
      const count = readFully(fd, buffer.subarray(carried.length, carried.length + chunk), offset + carried.length);
      const bytes = buffer.subarray(0, carried.length + count);
      const { lines, rest } = splitLines(bytes, offset);
      offset += rest;
      carried = bytes.subarray(rest);
      const last = count < chunk || carried.length > maxLine;
      if (last && carried.length > 0) lines.push({ bytes: carried, offset, ended: false });
      if (lines.length > 0) yield lines;
      if (last) return;
    }
  } catch (cause) {
    throw durableErrorFrom(cause, 'read', path);
  } finally {
    closeSync(fd);
  }
}

function splitLines(bytes: Uint8Array, offset: number): { lines: RawLine[]; rest: number } {
  const lines: RawLine[] = [];
  let from = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
    lines.push({ bytes: bytes.subarray(from, end), offset: offset + from, ended: true });
    from = end + 1;
  }
  return { lines, rest: from };
}

/** Lets other work of this process run between two batches of a long scan. */
export async function breathe(): Promise<void> {
  await setImmediate();
}

/** What lies in entries/: the first seqs that file names promise, ascending, and any other names. */
export type EntriesListing = { readonly firstSeqs: readonly number[]; readonly strangers: readonly string[] };

/** @throws DurableError */
export function listEntries(directory: string): EntriesListing {
  const path = join(directory, ENTRIES_DIRECTORY);
  try {
    const names = readdirSync(path).sort();
    const firstSeqs = names.map(parseEntriesFileName).filter((seq) => seq !== undefined);
    return { firstSeqs, strangers: names.filter((name) => parseEntriesFileName(name) === undefined) };
  } catch (cause) {
    throw durableErrorFrom(cause, 'list', path);
  }
}
