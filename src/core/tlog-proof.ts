import { concatBytes, decodeUtf8, encodeBase64, parseBase64, utf8 } from './bytes.ts';
import { type Checkpoint, type CheckpointTrust, parseDecimal, verifyCheckpoint } from './checkpoint.ts';
import { HASHES } from './digest.ts';
import { CoreError } from './errors.ts';
import { HASH_BYTES } from './merkle.ts';
import { verifyInclusion } from './merkle-proofs.ts';
import { MAX_NOTE_BYTES } from './signed-note.ts';

/** One entry's proof as a text file that needs nothing else (https://c2sp.org/tlog-proof). */
export type TlogProof = {
  /** Opaque and unauthenticated; never trusted. */
  readonly extra?: Uint8Array;
  /** Zero-based index of the entry. */
  readonly index: number;
  /** From the leaf's sibling to the root's child. */
  readonly hashes: readonly Uint8Array[];
  /** The signed checkpoint, verbatim. */
  readonly checkpoint: Uint8Array;
};

export const TLOG_PROOF_HEADER = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^53 leaves is 53 levels high. */
const MAX_PROOF_HASHES = 53;
const MAX_EXTRA_BYTES = 64 * 1024;
const MAX_TLOG_PROOF_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES;

export function encodeTlogProof({ extra, index, hashes, checkpoint }: TlogProof): Uint8Array {
  const lines = [
    TLOG_PROOF_HEADER,
    ...(extra === undefined ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(encodeBase64),
  ];
  return concatBytes(utf8(`${lines.join('\n')}\n\n`), checkpoint);
}

/**
 * Parses the frame; the checkpoint within stays bytes. What parses encodes to the same bytes again.
 * @throws CoreError PROOF_MALFORMED
 */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > MAX_TLOG_PROOF_BYTES) throw malformed(`it is over ${MAX_TLOG_PROOF_BYTES} bytes`);
  const text = decode(bytes);
  const gap = text.indexOf('\n\n');
  if (gap < 0) throw malformed('it has no empty line before a checkpoint');
  const lines = text.slice(0, gap).split('\n');
  if (lines.shift() !== TLOG_PROOF_HEADER) throw malformed(`its first line is not ${TLOG_PROOF_HEADER}`);
  const extra = takeExtra(lines);
  const index = parseDecimal(/^index (.*)$/.exec(lines.shift() ?? '')?.[1] ?? '');
  if (index === undefined) throw malformed('it has no index line');
  if (lines.length > MAX_PROOF_HASHES) throw malformed(`it has over ${MAX_PROOF_HASHES} hashes`);
  const hashes = lines.map((line) => decodeBase64(line));
  if (hashes.some(({ length }) => length !== HASH_BYTES)) throw malformed(`a hash is not ${HASH_BYTES} bytes long`);
  return { ...(extra === undefined ? {} : { extra }), index, hashes, checkpoint: utf8(text.slice(gap + 2)) };
}

function takeExtra(lines: string[]): Uint8Array | undefined {
  const base64 = /^extra (.*)$/.exec(lines[0] ?? '')?.[1];
  if (base64 === undefined) return undefined;
  lines.shift();
  const extra = decodeBase64(base64);
  if (extra.length > MAX_EXTRA_BYTES) throw malformed(`its extra data is over ${MAX_EXTRA_BYTES} bytes`);
  return extra;
}

function decode(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed('it is not text', cause);
  }
}

function decodeBase64(line: string): Uint8Array {
  try {
    return parseBase64(line);
  } catch (cause) {
    throw malformed('a line is not canonical base64', cause);
  }
}

export type TlogProofClaim = CheckpointTrust & {
  /** The proof file's bytes. */
  readonly proof: Uint8Array;
  /** The leaf hash of the entry in question, computed by the caller from the entry itself. */
  readonly leaf: Uint8Array;
};

/**
 * Checks that a log signed a checkpoint whose tree holds this leaf at the proof's index.
 * @returns where the entry is and in which checkpoint
 * @throws CoreError PROOF_MALFORMED, PROOF_MISMATCH, or as `verifyCheckpoint`
 */
export function verifyTlogProof(claim: TlogProofClaim): { readonly index: number; readonly checkpoint: Checkpoint } {
  const { index, hashes, checkpoint: note } = parseTlogProof(claim.proof);
  const checkpoint = verifyCheckpoint(note, claim);
  const { size, root } = checkpoint;
  verifyInclusion(HASHES[claim.hash], { index, size, leaf: claim.leaf, root, proof: hashes });
  return { index, checkpoint };
}

function malformed(problem: string, cause?: unknown): CoreError {
  return new CoreError('PROOF_MALFORMED', `not a tlog-proof: ${problem}`, { cause, fault: 'untrusted' });
}
