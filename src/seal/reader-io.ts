import { readFileSync, statSync } from 'node:fs';
import type { Digest } from '../core/digest.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { SealError } from './errors.ts';
import { sealedFiles } from './files-io.ts';
import { parseSealedLine, type SealedBatch, type SealedRecord } from './sealed-record.ts';

export type SealedEntry = { readonly record: SealedRecord; readonly batch: SealedBatch };

/** Far above what a writer makes of one: what is larger is not ours. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Finds the sealed value of a log line.
 * @param commit from the line: argv_commit or env_commit
 * @param seq of the line: files that begin later are not looked at
 * @throws SealError SEALED_NOT_FOUND or SEALED_MALFORMED; DurableError
 */
export function findSealed(directory: string, commit: Digest, seq: number = Number.MAX_SAFE_INTEGER): SealedEntry {
  // Newest first: values are written just before their line.
  for (const { path } of sealedFiles(directory)
    .reverse()
    .filter(({ from }) => from <= seq)) {
    for (const entry of readSealedFile(path)) if (entry.record.commit === commit) return entry;
  }
  const message = `no sealed value for ${commit}: it was not kept (no recipients then), or it was pruned`;
  throw new SealError('SEALED_NOT_FOUND', message);
}

/**
 * Every record in a file with its batch. An unfinished last line, which a crash leaves, is passed over.
 * @throws SealError SEALED_MALFORMED; DurableError
 */
export function* readSealedFile(path: string): Generator<SealedEntry, void, undefined> {
  const batches = new Map<string, SealedBatch>();
  const bytes = readBounded(path);
  for (let at = 0, end = bytes.indexOf(NEWLINE); end !== -1; at = end + 1, end = bytes.indexOf(NEWLINE, at)) {
    const line = parseSealedLine(bytes.subarray(at, end));
    if ('recipients' in line) {
      batches.set(line.batch, line);
      continue;
    }
    const batch = batches.get(line.batch);
    if (batch === undefined) throw new SealError('SEALED_MALFORMED', 'a sealed value stands before its batch');
    yield { record: line, batch };
  }
}

function readBounded(path: string): Uint8Array {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) throw new SealError('SEALED_MALFORMED', 'a sealed file is too large');
    return readFileSync(path);
  } catch (cause) {
    throw cause instanceof SealError ? cause : durableErrorFrom(cause, 'read', path);
  }
}
