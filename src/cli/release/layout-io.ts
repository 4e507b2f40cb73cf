import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../durable/errors.ts';
import { ReleaseError } from '../../verify/release/errors.ts';
import { type LayoutSource, MAX_MANIFEST_BYTES } from '../../verify/release/oci/layout.ts';
import { readInputFile } from '../files-io.ts';

const STEP = 1024 * 1024;
const HEX = /^[0-9a-f]{64}$/;

/**
 * An OCI layout directory. Blobs are opened by their digest alone, and only if they are regular files: a link in a
 * directory from outside would lead wherever its author likes.
 * @throws ReleaseError LAYOUT_MALFORMED if it isn't one; CliError as `readInputFile`
 */
export function openLayout(directory: string, signal: AbortSignal): LayoutSource {
  const marker = Buffer.from(readInputFile(join(directory, 'oci-layout'), { maxBytes: STEP })).toString();
  if (!/"imageLayoutVersion"\s*:\s*"1\.0\.0"/.test(marker)) {
    throw new ReleaseError('LAYOUT_MALFORMED', 'its oci-layout does not say version 1.0.0 of the layout');
  }
  const path = (hex: string) => join(directory, 'blobs', 'sha256', hex);
  return {
    index: readInputFile(join(directory, 'index.json'), { maxBytes: MAX_MANIFEST_BYTES }),
    readBlob: (hex, maxBytes) => {
      const chunks: Buffer[] = [];
      const total = eachChunk(path(checked(hex)), signal, (chunk, sum) => sum <= maxBytes && chunks.push(chunk) > 0);
      return total === undefined || total > maxBytes ? undefined : new Uint8Array(Buffer.concat(chunks));
    },
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
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ELOOP') return undefined;
    throw cause;
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
