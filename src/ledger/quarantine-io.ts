import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, formatDigest } from '../core/digest.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import { parseQuarantineFileName, QUARANTINE_DIRECTORY, quarantineFileName } from './format.ts';
import { openPlainFile, readFully } from './scan-io.ts';

/** Bytes that were cut off and kept, as a `log.recovery` entry names them. */
export type TornPiece = { readonly bytes: number; readonly digest: Digest; readonly name: string };

const CHUNK_BYTES = 1024 * 1024;

/**
 * Copies a file's bytes from `offset` on into quarantine/, durably. Doing it twice changes nothing.
 * @param seq of the line that should begin there
 * @returns undefined if there are no bytes
 * @throws DurableError
 */
export function quarantineRest(directory: string, path: string, offset: number, seq: number): TornPiece | undefined {
  const { bytes, hash } = measure(path, offset);
  if (bytes === 0) return undefined;
  const digest = formatDigest('sha256', hash);
  const name = quarantineFileName(seq, digest.slice('sha256:'.length));
  writeFileDurably(join(directory, QUARANTINE_DIRECTORY, name), readChunks(path, offset));
  return { bytes, digest, name };
}

/**
 * Pieces kept at this seq earlier. If the log still ends there, a crash came between cutting and recording them.
 * @throws DurableError
 */
export function quarantinedAt(directory: string, seq: number): TornPiece[] {
  const folder = join(directory, QUARANTINE_DIRECTORY);
  try {
    const names = readdirSync(folder).filter((name) => parseQuarantineFileName(name) === seq);
    return names.sort().map((name) => {
      const { bytes, hash } = measure(join(folder, name), 0);
      return { bytes, digest: formatDigest('sha256', hash), name };
    });
  } catch (cause) {
    throw durableErrorFrom(cause, 'list', folder);
  }
}

function measure(path: string, offset: number): { bytes: number; hash: Uint8Array } {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const chunk of readChunks(path, offset)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, hash: new Uint8Array(hash.digest()) };
}

function* readChunks(path: string, offset: number): Generator<Uint8Array, void, undefined> {
  const fd = openPlainFile(path);
  try {
    const end = fstatSync(fd).size;
    for (let at = offset; at < end; ) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - at));
      const count = readFully(fd, chunk, at);
      if (count === 0) return;
      yield chunk.subarray(0, count);
      at += count;
    }
  } finally {
    closeSync(fd);
  }
}
