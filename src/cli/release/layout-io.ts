import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../../durable/errors.ts';
import { ReleaseError } from '../../verify/release/errors.ts';
import { type LayoutSource, MAX_MANIFEST_BYTES } from '../../verify/release/oci/layout.ts';
import { CliError } from '../errors.ts';

const STEP = 1024 * 1024;
const HEX = /^[0-9a-f]{64}$/;

/**
 * An OCI layout directory. Blobs are opened by their digest alone, and only if they are regular files: a link in a
 * directory from outside would lead wherever its author likes, and a pipe would never end.
 * @throws ReleaseError LAYOUT_MALFORMED if it isn't one in order; CliError FILE_NOT_FOUND if it is none at all; DurableError
 */
export function openLayout(directory: string, signal: AbortSignal): LayoutSource {
  const small = (name: string, maxBytes: number): Uint8Array => {
    const bytes = readBounded(join(directory, name), maxBytes, signal);
    if (bytes !== undefined) return bytes;
    throw new ReleaseError('LAYOUT_MALFORMED', `${name} in it is no regular file, or is over ${maxBytes} bytes`);
  };
  if (lstatSync(join(directory, 'oci-layout'), { throwIfNoEntry: false }) === undefined) {
    const shown = escapeForTerminal(directory);
    throw new CliError('FILE_NOT_FOUND', `${shown} is a directory, and no OCI layout: there is no oci-layout in it`);
  }
  const marker = Buffer.from(small('oci-layout', STEP)).toString();
  if (!/"imageLayoutVersion"\s*:\s*"1\.0\.0"/.test(marker)) {
    throw new ReleaseError('LAYOUT_MALFORMED', 'its oci-layout does not say version 1.0.0 of the layout');
  }
  const path = (hex: string) => join(directory, 'blobs', 'sha256', hex);
  return {
    index: small('index.json', MAX_MANIFEST_BYTES),
    readBlob: (hex, maxBytes) => readBounded(path(checked(hex)), maxBytes, signal),
    hashBlob: (hex) => {
      const hash = createHash('sha256');
      const size = eachChunk(path(checked(hex)), signal, (chunk) => hash.update(chunk) !== undefined);
      return size === undefined ? undefined : { sha256: hash.digest('hex'), size };
    },
  };
}

function checked(hex: string): string {
  if (HEX.test(hex)) return hex;
  throw new ReleaseError('LAYOUT_MALFORMED', 'a digest in it is not 64 hex digits');
}

/** @returns undefined for what is no regular file, or a larger one */
function readBounded(path: string, maxBytes: number, signal: AbortSignal): Uint8Array | undefined {
  const chunks: Buffer[] = [];
  const total = eachChunk(path, signal, (chunk, sum) => sum <= maxBytes && chunks.push(chunk) > 0);
  return total === undefined || total > maxBytes ? undefined : new Uint8Array(Buffer.concat(chunks));
}

/** What there may be in place of a file: nothing, a link, a file where a directory should be, a socket. */
const NO_FILE: readonly (string | undefined)[] = ['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO'];

/** Reads a regular file; the callback ends it by false. @returns how much was read, undefined if there is no such file */
function eachChunk(
  path: string,
  signal: AbortSignal,
  take: (chunk: Buffer, sum: number) => boolean,
): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (NO_FILE.includes(errnoOf(cause))) return undefined;
    throw durableErrorFrom(cause, 'read', path);
  }
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    let sum = 0;
    for (;;) {
      signal.throwIfAborted();
      const chunk = Buffer.allocUnsafe(STEP);
      const count = readSync(fd, chunk, 0, STEP, null);
      sum += count;
      if (count === 0 || !take(chunk.subarray(0, count), sum)) return sum;
    }
  } finally {
    closeSync(fd);
  }
}
