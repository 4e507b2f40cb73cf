import { isAscii } from 'node:buffer';
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { encodeBase64 } from '../../core/bytes.ts';
import { errnoOf } from '../../durable/errors.ts';

/**
 * Reading of /proc, synchronously: one file is a system call or two that never wait for a disk, and a promise costs
 * ten times that. What can't be read is data, not an error: `lost` if the process is gone, `denied` if we may not.
 */
export type Unread = 'lost' | 'denied';

const CHUNK = Buffer.allocUnsafe(64 * 1024);
const AS_BYTES = { encoding: 'buffer' } as const;

/** @returns the bytes, at most `limit` and one more if there are more */
export function readProc(path: string, limit: number = CHUNK.length): Uint8Array | Unread {
  return read(path, (fd, size) =>
    size < CHUNK.length ? new Uint8Array(CHUNK.subarray(0, Math.min(size, limit + 1))) : readOn(fd, limit),
  );
}

/** As text; what is not UTF-8 becomes U+FFFD. In one step of the runtime's own: for files of ASCII the cheapest way. */
export function readProcText(path: string): string | Unread {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return unread(error);
  }
}

/** A file of /proc that is read more than once. What it tells is of the process that it was opened for, or nothing. */
export class ProcFile implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static open(path: string): ProcFile | Unread {
    try {
      return new ProcFile(openSync(path, 'r'));
    } catch (error) {
      return unread(error);
    }
  }

  /** From its beginning, what fits into one read; `lost` once the process is gone, even if its pid was given again. */
  read(): Uint8Array | Unread {
    try {
      return new Uint8Array(CHUNK.subarray(0, readSync(this.#fd, CHUNK, 0, CHUNK.length, 0)));
    } catch (error) {
      return unread(error);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** @param take of what the first read got: it lies in CHUNK, until the next one */
function read<T>(path: string, take: (fd: number, size: number) => T): T | Unread {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    return unread(error);
  }
  try {
    return take(fd, readSync(fd, CHUNK, 0, CHUNK.length, null));
  } catch (error) {
    return unread(error);
  } finally {
    closeSync(fd);
  }
}

function readOn(fd: number, limit: number): Uint8Array {
  const chunks = [Buffer.from(CHUNK)];
  let size = CHUNK.length;
  while (size <= limit) {
    const bytes = readSync(fd, CHUNK, 0, CHUNK.length, null);
    if (bytes === 0) break;
    chunks.push(Buffer.from(CHUNK.subarray(0, bytes)));
    size += bytes;
  }
  return new Uint8Array(Buffer.concat(chunks).subarray(0, limit + 1));
}

export function readProcLink(path: string): Uint8Array | Unread {
  try {
    return new Uint8Array(readlinkSync(path, AS_BYTES));
  } catch (error) {
    return unread(error);
  }
}

/** EACCES and EPERM are ours to report as denied; everything else that /proc answers means that it is gone. */
export function unread(error: unknown): Unread {
  const errno = errnoOf(error);
  return errno === 'EACCES' || errno === 'EPERM' ? 'denied' : 'lost';
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lossy = new TextDecoder('utf-8', { ignoreBOM: true });

type TextFields<N extends string> = { readonly [K in N | `${N}_raw`]?: string };

/** A name from outside as the two fields of an event: text and, where that isn't exact, the bytes in base64. */
export function textFields<N extends string>(name: N, bytes: Uint8Array): TextFields<N> {
  return asFields(name, bytes) as TextFields<N>;
}

function asFields(name: string, bytes: Uint8Array): { readonly [field: string]: string } {
  // Nearly all names, at a third of the decoder's price.
  if (isAscii(bytes))
    return { [name]: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1') };
  try {
    return { [name]: strict.decode(bytes) };
  } catch {
    return { [name]: lossy.decode(bytes), [`${name}_raw`]: encodeBase64(bytes) };
  }
}
