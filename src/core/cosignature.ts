import { concatBytes, encodeBase64, encodeHex, equalBytes, utf8 } from './bytes.ts';
import type { HashName } from './digest.ts';
import { ED25519_SIGNATURE_BYTES } from './ed25519.ts';
import { CoreError } from './errors.ts';
import { type PrivateKey, type PublicKey, signWithKey, verifyWithKey } from './keys.ts';
import { isNoteName, type NoteSignature, noteKeyId, type SignedNote } from './signed-note.ts';
import { escapeForTerminal } from './terminal-text.ts';
import { formatTime, type Time } from './time.ts';

/**
 * A witness' statement about a checkpoint (https://c2sp.org/tlog-cosignature): at this time, this was the newest
 * checkpoint of the log I had seen, and it extended every earlier one.
 */
export type Cosignature = {
  /** What the witness calls itself; only the key says who it is. */
  readonly name: string;
  readonly key: PublicKey;
  /** By the clock of the witness; whole seconds. */
  readonly time: Time;
};

/** A hash decides the type and the first line of what is signed, so that no cosignature can be passed off as the other. */
type Kind = { readonly type: Uint8Array; readonly header: string };

/**
 * C2SP defines cosignatures over SHA-256 trees. Like checkpoints, ours over BLAKE3 trees carry a private type, and sign
 * another first line: the type itself is not under the signature, so it alone could be relabelled.
 */
const KINDS: Readonly<Record<HashName, Kind>> = {
  sha256: { type: Uint8Array.of(0x04), header: 'cosignature/v1' },
  blake3: {
    type: concatBytes(Uint8Array.of(0xff), utf8('daemoneye-blake3-cosignature-v1')),
    header: 'daemoneye-blake3-cosignature/v1',
  },
};

const TIME_BYTES = 8;
/** The last second of the year 9999, after which our times have no spelling. */
const MAX_SECONDS = 253_402_300_799n;

/** The note signature type of cosignatures of a log's checkpoints. */
export function cosignatureNoteType(hash: HashName): Uint8Array {
  return KINDS[hash].type;
}

/** What is signed: header, time, and the whole text of the note ("Format"). */
function signedMessage(hash: HashName, seconds: bigint, text: string): Uint8Array {
  return utf8(`${KINDS[hash].header}\ntime ${seconds}\n${text}`);
}

/**
 * Adds a cosignature to a signed checkpoint, in place of an earlier one of the same witness.
 * @param milliseconds Unix time by the clock of the witness; the fraction of a second is dropped
 * @throws CoreError NOTE_MALFORMED for a name that can't stand in a note, COSIGNATURE_TIME for a time out of range
 */
export function cosign(
  note: SignedNote,
  name: string,
  key: PrivateKey,
  hash: HashName,
  milliseconds: number,
): SignedNote {
  if (!isNoteName(name)) {
    throw new CoreError('NOTE_MALFORMED', 'the name of a witness may not be empty or have a space or a plus in it');
  }
  const seconds = BigInt(Math.floor(milliseconds / 1000));
  assertSeconds(seconds, name);
  const id = noteKeyId(name, KINDS[hash].type, key.publicKey);
  const time = new Uint8Array(TIME_BYTES);
  new DataView(time.buffer).setBigUint64(0, seconds);
  const signature = concatBytes(time, signWithKey(key, signedMessage(hash, seconds, note.text)));
  const others = note.signatures.filter((other) => other.name !== name || !equalBytes(other.id, id));
  return { text: note.text, signatures: [...others, { name, id, signature }] };
}

/**
 * The cosignatures of known witnesses on a note. Signatures of others are ignored; one by a known key that fails
 * refuses the whole note, as in `verifyNote`. A name is only a name: a witness is found by its key, under whatever
 * name the line gives.
 * @throws CoreError NOTE_SIGNATURE, COSIGNATURE_MALFORMED, or COSIGNATURE_TIME for a time of 0 (it would state nothing)
 *   or one past the year 9999
 */
export function verifyCosignatures(note: SignedNote, known: readonly PublicKey[], hash: HashName): Cosignature[] {
  return note.signatures.flatMap((line) => {
    const key = known.find((one) => equalBytes(line.id, noteKeyId(line.name, KINDS[hash].type, one)));
    return key === undefined ? [] : [verifyOne(note.text, line, key, hash)];
  });
}

function verifyOne(text: string, { name, signature }: NoteSignature, key: PublicKey, hash: HashName): Cosignature {
  if (signature.length !== TIME_BYTES + ED25519_SIGNATURE_BYTES) {
    throw new CoreError('COSIGNATURE_MALFORMED', `the cosignature of ${shown(name)} has the wrong length`, {
      fault: 'untrusted',
    });
  }
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  if (!verifyWithKey(key, signedMessage(hash, seconds, text), signature.subarray(TIME_BYTES))) {
    const message = `the cosignature of ${shown(name)} is not valid for this checkpoint`;
    throw new CoreError('NOTE_SIGNATURE', message, { fault: 'untrusted' });
  }
  assertSeconds(seconds, name);
  return { name, key, time: formatTime(Number(seconds) * 1000) };
}

function assertSeconds(seconds: bigint, name: string): void {
  if (seconds > 0n && seconds <= MAX_SECONDS) return;
  const message = `the cosignature of ${shown(name)} gives the time ${seconds}, which is none; ask for another`;
  throw new CoreError('COSIGNATURE_TIME', message, { fault: 'untrusted' });
}

function shown(name: string): string {
  return escapeForTerminal(name);
}

/** The bytes of a key in a C2SP "vkey", for tools that know witnesses by one: `name+hex(id)+base64(type ‖ key)`. */
export function witnessVerifierKey(name: string, key: PublicKey): string {
  const { type } = KINDS.sha256;
  const id = encodeHex(noteKeyId(name, type, key));
  return `${name}+${id}+${encodeBase64(concatBytes(type, key.raw))}`;
}
