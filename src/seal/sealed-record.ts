import { encodeBase64, encodeHex, parseBase64, utf8 } from '../core/bytes.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson } from '../core/jcs.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJson } from '../core/strict-json.ts';
import { aeadOpen, aeadSeal, commitTo, decryptValue, encryptValue } from './commitment.ts';
import { SealError } from './errors.ts';
import {
  KEY_BYTES,
  MAX_SEALED_LINE_BYTES,
  NONCE_BYTES,
  SEALED_VERSION,
  SECRET_KINDS,
  type SecretKind,
} from './format.ts';

/**
 * A sealed file is NDJSON: canonical JSON objects, one a line, of two kinds. A *batch* holds a batch key, encrypted to
 * the recipients as a complete age file, which any age tool opens. A *record* holds one value, encrypted under its
 * record key, and that record key, encrypted under the batch key of a batch that stands before it in the file.
 *
 * So sealing costs one age encryption a batch, and still each value is released by itself: what is handed over is its
 * record key, which opens that one value and nothing else.
 */
export type SealedBatch = {
  /** 16 random bytes in hex. */
  readonly batch: string;
  /** An age file (age-encryption.org/v1) that holds the 32 bytes of the batch key. */
  readonly key: Uint8Array;
  readonly recipients: readonly string[];
};

export type SealedRecord = {
  readonly batch: string;
  readonly kind: SecretKind;
  /** As `argv_commit` or `env_commit` in the log line: that is how the two find each other. */
  readonly commit: Digest;
  /** Nonce, then the encrypted record key, then the tag; bound to kind and commit. Absent once it was redacted. */
  readonly key?: Uint8Array;
  readonly box: Uint8Array;
};

/** A value under a fresh record key. */
export function sealValue(
  kind: SecretKind,
  value: Uint8Array,
  batch: { readonly id: string; readonly key: Uint8Array },
  random: (bytes: number) => Uint8Array,
): SealedRecord {
  const recordKey = random(KEY_BYTES);
  const commit = commitTo(kind, recordKey, value);
  const nonce = random(NONCE_BYTES);
  const key = new Uint8Array([...nonce, ...aeadSeal(batch.key, nonce, recordKey, bound(kind, commit))]);
  return { batch: batch.id, kind, commit, key, box: encryptValue(kind, recordKey, value, commit) };
}

/**
 * The record key: what is released when this one value is to be opened by somebody else.
 * @throws SealError SEALED_DAMAGED (another batch's key, or changed) or SEALED_REDACTED
 */
export function recordKeyOf(record: SealedRecord, batchKey: Uint8Array): Uint8Array {
  if (record.key === undefined) {
    const message =
      'this value was redacted: nobody can open it; an entry log.redact of the log says why and by whose order';
    throw new SealError('SEALED_REDACTED', message);
  }
  const nonce = record.key.subarray(0, NONCE_BYTES);
  return aeadOpen(batchKey, nonce, record.key.subarray(NONCE_BYTES), bound(record.kind, record.commit));
}

/**
 * The value, with its record key.
 * @param commit as the log line has it; the line is what counts, and the record must agree
 * @throws SealError SEALED_DAMAGED or COMMITMENT_MISMATCH
 */
export function openRecord(record: SealedRecord, recordKey: Uint8Array, commit: Digest): Uint8Array {
  if (record.commit !== commit) {
    const message = `this sealed value belongs to ${record.commit}, not to the line's ${commit}`;
    throw new SealError('COMMITMENT_MISMATCH', message, { fault: 'untrusted' });
  }
  return decryptValue(record.kind, recordKey, record.box, commit);
}

/** Text without spaces, then a digest: one reading only. */
function bound(kind: SecretKind, commit: Digest): Uint8Array {
  return utf8(`${kind} ${commit}`);
}

export function newBatchId(random: (bytes: number) => Uint8Array): string {
  return encodeHex(random(16));
}

/** Without the newline. */
export function encodeSealedLine(line: SealedBatch | SealedRecord): Uint8Array {
  const v = SEALED_VERSION;
  if ('recipients' in line) return encodeCanonicalJson({ ...line, key: encodeBase64(line.key), v });
  const { key, box } = line;
  return encodeCanonicalJson({
    ...line,
    key: key === undefined ? undefined : encodeBase64(key),
    box: encodeBase64(box),
    v,
  });
}

const BATCH_ID = /^[0-9a-f]{32}$/;

/** @throws SealError SEALED_MALFORMED */
export function parseSealedLine(bytes: Uint8Array): SealedBatch | SealedRecord {
  try {
    const line = parseStrictJson(bytes, { maxBytes: MAX_SEALED_LINE_BYTES, maxDepth: 4 });
    if (!isJsonObject(line)) throw malformed('it is not an object');
    if (line['v'] !== SEALED_VERSION) throw malformed('its version is not known');
    return 'recipients' in line ? parseBatch(line) : parseRecord(line);
  } catch (cause) {
    throw cause instanceof SealError ? cause : malformed(messageOf(cause), cause);
  }
}

function parseBatch(line: JsonObject): SealedBatch {
  assertFields(line, 'batch key recipients v');
  const { recipients } = line;
  if (!Array.isArray(recipients)) throw malformed('recipients is not a list');
  return { batch: batchId(line['batch']), key: parseBase64(text(line['key'])), recipients: recipients.map(text) };
}

function parseRecord(line: JsonObject): SealedRecord {
  assertFields(line, 'key' in line ? 'batch box commit key kind v' : 'batch box commit kind v');
  const kind = SECRET_KINDS.find((known) => known === line['kind']);
  if (kind === undefined) throw malformed('its kind is not known');
  const commit = text(line['commit']);
  parseDigest(commit);
  const parts = { batch: batchId(line['batch']), kind, commit: commit as Digest, box: parseBase64(text(line['box'])) };
  return line['key'] === undefined ? parts : { ...parts, key: parseBase64(text(line['key'])) };
}

function assertFields(line: JsonObject, expected: string): void {
  if (Object.keys(line).sort().join(' ') !== expected) throw malformed(`its fields are not ${expected}`);
}

function batchId(value: Json | undefined): string {
  if (typeof value !== 'string' || !BATCH_ID.test(value)) throw malformed('its batch is not an id');
  return value;
}

function text(value: Json | undefined): string {
  if (typeof value !== 'string') throw malformed('a field that must be text is not');
  return value;
}

function malformed(problem: string, cause?: unknown): SealError {
  return new SealError('SEALED_MALFORMED', `not a line of a sealed file: ${problem}`, { cause });
}
