import { readFileSync, rmSync } from 'node:fs';
import { concatBytes } from '../core/bytes.ts';
import type { Digest } from '../core/digest.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { syncDirectory, writeFileDurably } from '../durable/files-io.ts';
import { type SealedFile, sealedFiles } from './files-io.ts';
import { readSealedFile } from './reader-io.ts';
import { parseSealedLine } from './sealed-record.ts';

const NEWLINE = 0x0a;

/** The commitments in dropped lines from this seq on, in the order of the lines. */
export type DroppedCommitments = (from: number) => AsyncIterable<Digest>;

/**
 * Removes the sealed values of lines that are about to be dropped: a value that no line vouches for would be kept for
 * nobody. Values of other lines stay, and so does one whose line was never written. A file without values left goes.
 * Call before the lines go, since they say which values are theirs; killed anywhere, the same call again finishes.
 * Nobody may be sealing meanwhile: hold the lock of the log.
 * @param before the first line that stays
 * @throws SealError SEALED_MALFORMED; DurableError
 */
export async function pruneSealed(directory: string, before: number, dropped: DroppedCommitments): Promise<void> {
  for (const file of sealedFiles(directory)) {
    if (file.from >= before) continue;
    const left = new Set([...readSealedFile(file.path)].map(({ record }) => record.commit));
    const found = new Set<Digest>();
    for await (const commit of dropped(file.from)) {
      if (left.delete(commit)) found.add(commit);
      if (left.size === 0) break;
    }
    if (left.size === 0) remove(directory, file);
    else if (found.size > 0) keepOthers(file, found);
  }
}

function remove(directory: string, { path }: SealedFile): void {
  try {
    rmSync(path);
  } catch (cause) {
    throw durableErrorFrom(cause, 'remove', path);
  }
  syncDirectory(directory);
}

/** All but the records found; what a crash left of a last line is nobody's value. */
function keepOthers({ path }: SealedFile, found: ReadonlySet<Digest>): void {
  const bytes = readFileSync(path);
  const kept: Uint8Array[] = [];
  for (let at = 0, end = bytes.indexOf(NEWLINE); end !== -1; at = end + 1, end = bytes.indexOf(NEWLINE, at)) {
    const line = parseSealedLine(bytes.subarray(at, end));
    if ('recipients' in line || !found.has(line.commit)) kept.push(bytes.subarray(at, end + 1));
  }
  writeFileDurably(path, concatBytes(...kept));
}
