import { concatBytes, decodeUtf8, encodeBase64, parseBase64, utf8 } from '../core/bytes.ts';
import { parseDecimal } from '../core/checkpoint.ts';
import { messageOf } from '../core/errors.ts';
import { HASH_BYTES } from '../core/merkle.ts';
import { LedgerError } from './errors.ts';

/** A change of the log's key that the witness hasn't seen. */
export type CarriedRotation = {
  /** The `log.rotate` line, verbatim, without its newline. */
  readonly line: Uint8Array;
  /** From the lines before it, which is what the old key signed last, to the checkpoint; none where there are none. */
  readonly proof: readonly Uint8Array[];
};

/**
 * What a log asks a witness: the body of `add-checkpoint` of https://c2sp.org/tlog-witness, carried by hand. Where the
 * log's key was changed since, the changes stand before it, each `rotated <line>` and the hashes of its proof.
 */
export type WitnessRequest = {
  readonly rotations: readonly CarriedRotation[];
  /** The size the log believes the witness saw last; 0 at first contact. */
  readonly old: number;
  /** From `old` to the checkpoint; none when `old` is 0 or the checkpoint's size. */
  readonly proof: readonly Uint8Array[];
  /** The signed checkpoint, verbatim. */
  readonly note: Uint8Array;
};

/** "The client MUST NOT send more than 63 consistency proof lines." */
const MAX_PROOF_HASHES = 63;
/** A checkpoint with a few signatures and the longest proof is a tenth of that; a change of key takes three to seven. */
const MAX_REQUEST_BYTES = 64 * 1024;
const ROTATED = 'rotated ';

export function encodeRequest({ rotations, old, proof, note }: WitnessRequest): Uint8Array {
  const changes = rotations.flatMap((one) => [`${ROTATED}${decodeUtf8(one.line)}`, ...one.proof.map(encodeBase64)]);
  return concatBytes(utf8(`${[...changes, `old ${old}`, ...proof.map(encodeBase64)].join('\n')}\n\n`), note);
}

/**
 * Parses the frame; the checkpoint within stays bytes. What parses encodes to the same bytes again.
 * @throws LedgerError REQUEST_MALFORMED
 */
export function parseRequest(bytes: Uint8Array): WitnessRequest {
  if (bytes.length > MAX_REQUEST_BYTES) throw malformedRequest(`it is over ${MAX_REQUEST_BYTES} bytes`);
  const text = decode(bytes);
  const gap = text.indexOf('\n\n');
  if (gap < 0) throw malformedRequest('it has no empty line before a checkpoint');
  const lines = text.slice(0, gap).split('\n');
  const at = lines.findIndex((line) => line.startsWith('old '));
  const old = parseDecimal(lines[at]?.slice('old '.length) ?? '');
  if (old === undefined) throw malformedRequest('it has no line "old" and a size');
  const rotations = parseRotations(lines.slice(0, at));
  return { rotations, old, proof: parseProof(lines.slice(at + 1)), note: utf8(text.slice(gap + 2)) };
}

function parseRotations(lines: readonly string[]): CarriedRotation[] {
  const starts = lines.flatMap((line, i) => (line.startsWith(ROTATED) ? [i] : []));
  if (lines.length > 0 && starts[0] !== 0) throw malformedRequest('its first line is neither "rotated" nor "old"');
  return starts.map((start, i) => ({
    line: utf8(lines[start]?.slice(ROTATED.length) ?? ''),
    proof: parseProof(lines.slice(start + 1, starts[i + 1])),
  }));
}

function parseProof(lines: readonly string[]): Uint8Array[] {
  if (lines.length > MAX_PROOF_HASHES) throw malformedRequest(`it has over ${MAX_PROOF_HASHES} hashes`);
  return lines.map(parseHash);
}

function decode(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformedRequest('it is not text', cause);
  }
}

function parseHash(line: string): Uint8Array {
  try {
    const hash = parseBase64(line);
    if (hash.length === HASH_BYTES) return hash;
  } catch (cause) {
    throw malformedRequest(`a line of its proof can't be read: ${messageOf(cause)}`, cause);
  }
  throw malformedRequest(`a hash of its proof is not ${HASH_BYTES} bytes long`);
}

export function malformedRequest(problem: string, cause?: unknown): LedgerError {
  const message = `not a request to a witness: ${problem}; make a new one with "ledger witness request"`;
  return new LedgerError('REQUEST_MALFORMED', message, { cause, fault: 'untrusted' });
}
