import { isAscii } from 'node:buffer';
import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { encodeBase64 } from '../../core/bytes.ts';
import { errnoOf } from '../../durable/errors.ts';

/**
 * Reading of /proc, synchronously: one file is a system call or two that never wait for a disk, and a promise costs
 * ten times that. What can't be read is data, not an error: `lost` if the process is gone, `denied` if we may not.
 */
export type Unread = 'lost' | 'denied';

const CHUNK = Buffer.allocUnsafe(64 * 1024);

/** @returns the bytes, at most `limit` and one more if there are more */
export function readProc(path: string, limit: number = CHUNK.length): Uint8Array | Unread {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    return unread(error);
  }
  try {
    const first = readSync(fd, CHUNK, 0, CHUNK.length, null);
    if (first < CHUNK.length) return new Uint8Array(CHUNK.subarray(0, Math.min(first, limit + 1)));
    return readOn(fd, limit);
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

export function readProcText(path: string): string | Unread {
  const bytes = readProc(path);
  return typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1');
}

export function readProcLink(path: string): Uint8Array | Unread {
  try {
    return new Uint8Array(readlinkSync(path, 'buffer'));
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
