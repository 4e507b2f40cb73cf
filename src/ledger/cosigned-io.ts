import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../core/bytes.ts';
import { type Checkpoint, parseCheckpoint } from '../core/checkpoint.ts';
import { formatDigest, HASHES } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import type { PublicKey } from '../core/keys.ts';
import { verifyConsistency } from '../core/merkle-proofs.ts';
import { MAX_NOTE_BYTES, parseNote } from '../core/signed-note.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { assertNotAhead, type CosignedCheckpoint, verifyCosigned } from './cosigned.ts';
import { LedgerError } from './errors.ts';
import { CHECKPOINTS_DIRECTORY, COSIGNED_DIRECTORY, cosignedFileName, isCosignedFileName } from './format.ts';
import { type LedgerReader, openLedgerReader } from './reader-io.ts';
import { readPlainFile } from './scan-io.ts';
import { type CarriedRotation, encodeRequest } from './witness-request.ts';

export type MadeRequest = {
  readonly bytes: Uint8Array;
  readonly since: number;
  readonly checkpoint: Checkpoint;
  readonly hashes: number;
};

/**
 * Asks a witness to cosign the head of a log.
 * @param since what the witness saw last; without it what its newest cosignature that was accepted here covers, else 0
 * @param witness whose cosignatures to go by, by its name; without it anybody's
 * @throws LedgerError NO_SUCH_ENTRY (nothing in the log, or less than `since`), or as the reader; DurableError
 */
export async function makeRequest(directory: string, since?: number, witness?: string): Promise<MadeRequest> {
  using reader = await openLedgerReader(directory);
  const { checkpoint, note } = reader.head;
  if (checkpoint.size === 0)
    throw new LedgerError('NO_SUCH_ENTRY', 'the log is empty: there is nothing to witness yet');
  const old = since ?? newestCosigned(directory, witness);
  const proofSince = async (size: number) => (size === 0 ? [] : await reader.proveConsistency(size, checkpoint.size));
  const proof = await proofSince(old);
  const rotations: CarriedRotation[] = [];
  for (const { line, start } of reader.epochs) {
    // Who cosigned `old` entries knows whose key signed them.
    if (line === undefined || start < old || start >= checkpoint.size) continue;
    rotations.push({ line, proof: await proofSince(start) });
  }
  const bytes = encodeRequest({ rotations, old, proof, note });
  return { bytes, since: old, checkpoint, hashes: proof.length };
}

/**
 * How many entries a witness has seen by the notes that came back, which are not judged here: it only shapes a request,
 * which the witness judges, and what people are told to carry.
 * @param witness by its name; without it anybody
 * @throws CoreError for a note that is none; DurableError
 */
export function newestCosigned(directory: string, witness?: string): number {
  const sizes = readCosignedNotes(directory).map((note) => {
    const { text, signatures } = parseNote(note);
    const isTheirs = witness === undefined || signatures.some(({ name }) => name === witness);
    return isTheirs ? parseCheckpoint(text).size : 0;
  });
  return Math.max(0, ...sizes);
}

/** The notes that came back from witnesses, by size. @throws DurableError */
export function readCosignedNotes(directory: string): Uint8Array[] {
  const place = join(directory, CHECKPOINTS_DIRECTORY, COSIGNED_DIRECTORY);
  if (!existsSync(place)) return [];
  try {
    const names = readdirSync(place).filter(isCosignedFileName).sort();
    return names.map((name) => readPlainFile(join(place, name), MAX_NOTE_BYTES));
  } catch (cause) {
    throw durableErrorFrom(cause, 'read', place);
  }
}

export type AcceptOptions = {
  readonly witnesses: readonly PublicKey[];
  /** The clock here; undefined when a cosignature from ahead of it is accepted. */
  readonly now: Time | undefined;
};

/**
 * Takes a cosigned checkpoint into the log's history, after checking that it is of this log as it stands here.
 * @throws as `verifyCosigned`; LedgerError COSIGNATURE_AHEAD, COSIGNED_ELSEWHERE (the witness saw another history than
 *   the one here) or as the reader; DurableError
 */
export async function acceptCosigned(
  directory: string,
  note: Uint8Array,
  { witnesses, now }: AcceptOptions,
): Promise<CosignedCheckpoint> {
  using reader = await openLedgerReader(directory);
  const found = verifyCosigned(note, reader, witnesses);
  if (now !== undefined) assertNotAhead(found.cosignatures, now);
  await assertSameHistory(reader, found.checkpoint);
  const place = join(directory, CHECKPOINTS_DIRECTORY, COSIGNED_DIRECTORY);
  createDirectoryDurably(place);
  for (const { key } of found.cosignatures) {
    writeFileDurably(join(place, cosignedFileName(found.checkpoint.size, key.keyid)), note, { mode: 0o644 });
  }
  return found;
}

async function assertSameHistory(reader: LedgerReader, seen: Checkpoint): Promise<void> {
  const { checkpoint: head } = reader.head;
  const { hash } = reader.genesis;
  const heads = `cosigned: ${seen.size} entries, root ${formatDigest(hash, seen.root)}; here: ${head.size} entries, root ${formatDigest(hash, head.root)}`;
  const elsewhere = (what: string, cause?: unknown) =>
    new LedgerError('COSIGNED_ELSEWHERE', `${what}; ${heads}`, { cause, fault: 'tampered' });
  if (seen.size > head.size) throw elsewhere('the witness saw more entries than are here: the log was cut back');
  const isHead = seen.size === head.size;
  if (isHead && !equalBytes(seen.root, head.root)) throw elsewhere('the witness saw other entries than are here');
  if (isHead || seen.size === 0) return;
  const proof = await reader.proveConsistency(seen.size, head.size);
  try {
    verifyConsistency(HASHES[hash], { size1: seen.size, size2: head.size, root1: seen.root, root2: head.root, proof });
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    throw elsewhere('the witness saw other entries than are here', cause);
  }
}
