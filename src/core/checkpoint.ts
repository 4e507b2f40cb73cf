import { concatBytes, encodeBase64, parseBase64, utf8 } from './bytes.ts';
import type { HashName } from './digest.ts';
import { CoreError } from './errors.ts';
import type { PrivateKey, PublicKey } from './keys.ts';
import { HASH_BYTES } from './merkle.ts';
import {
  ED25519_NOTE_TYPE,
  ed25519NoteVerifier,
  encodeNote,
  isNoteName,
  parseNote,
  signNote,
  verifyNote,
} from './signed-note.ts';
import { escapeForTerminal } from './terminal-text.ts';

/** The size and root of a log at a moment (https://c2sp.org/tlog-checkpoint), without extension lines. */
export type Checkpoint = {
  /** Which log; also the name its key signs by, so no spaces or plus signs. */
  readonly origin: string;
  /** Leaves. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
};

/**
 * C2SP defines checkpoints over SHA-256 trees. Ours over BLAKE3 trees carry a private signature type, so that no
 * stranger's verifier takes one for the other: the key id differs, hence the key is unknown to it.
 */
const NOTE_TYPES: Readonly<Record<HashName, Uint8Array>> = {
  sha256: ED25519_NOTE_TYPE,
  blake3: concatBytes(Uint8Array.of(0xff), utf8('daemoneye-blake3-checkpoint-v1')),
};

/** The note signature type of a log's checkpoints. */
export function checkpointNoteType(hash: HashName): Uint8Array {
  return NOTE_TYPES[hash];
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;

/**
 * A size or an index: ASCII decimal without leading zeros, a safe integer; undefined for anything else.
 */
export function parseDecimal(text: string): number | undefined {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The note text: `origin\nsize\nbase64(root)\n`. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${encodeBase64(root)}\n`;
}

/**
 * Parses a checkpoint's text. Extension lines are refused: nothing here could check what they say.
 * @throws CoreError CHECKPOINT_MALFORMED
 */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin, decimal, base64, end, ...more] = text.split('\n');
  if (origin === undefined || !isNoteName(origin)) throw malformed('its first line is not an origin');
  const size = decimal === undefined ? undefined : parseDecimal(decimal);
  if (size === undefined) throw malformed('its second line is not a size');
  const root = base64 === undefined ? undefined : parseRoot(base64);
  if (root === undefined) throw malformed(`its third line is not a hash of ${HASH_BYTES} bytes`);
  if (end !== '' || more.length > 0) throw malformed('it does not end after the root');
  return { origin, size, root };
}

function parseRoot(base64: string): Uint8Array | undefined {
  try {
    const root = parseBase64(base64);
    return root.length === HASH_BYTES ? root : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A signed note of the checkpoint, the key signing by the name of the origin.
 * @throws CoreError CHECKPOINT_MALFORMED if the checkpoint could not be parsed again
 */
export function signCheckpoint(checkpoint: Checkpoint, key: PrivateKey, hash: HashName): Uint8Array {
  const text = formatCheckpoint(checkpoint);
  parseCheckpoint(text);
  return encodeNote(signNote({ text, signatures: [] }, checkpoint.origin, key, NOTE_TYPES[hash]));
}

export type CheckpointTrust = {
  readonly key: PublicKey;
  /** Which hash the log's tree is made of. */
  readonly hash: HashName;
  /** The log it must be of; without it any origin that this key signed. */
  readonly origin?: string | undefined;
};

/**
 * Parses a signed checkpoint and checks that the log's key signed it. Other signatures (cosignatures) are ignored.
 * @throws CoreError NOTE_MALFORMED, CHECKPOINT_MALFORMED, CHECKPOINT_ORIGIN (another log's) or NOTE_SIGNATURE
 */
export function verifyCheckpoint(note: Uint8Array, { key, hash, origin }: CheckpointTrust): Checkpoint {
  const parsed = parseNote(note);
  const checkpoint = parseCheckpoint(parsed.text);
  if (origin !== undefined && checkpoint.origin !== origin) {
    const [found, wanted] = [escapeForTerminal(checkpoint.origin), escapeForTerminal(origin)];
    throw new CoreError('CHECKPOINT_ORIGIN', `the checkpoint is of the log ${found}, not of ${wanted}`, {
      fault: 'untrusted',
    });
  }
  verifyNote(parsed, [ed25519NoteVerifier(checkpoint.origin, key, NOTE_TYPES[hash])]);
  return checkpoint;
}

function malformed(problem: string): CoreError {
  return new CoreError('CHECKPOINT_MALFORMED', `not a checkpoint: ${problem}`, { fault: 'untrusted' });
}
