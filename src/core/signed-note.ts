import { concatBytes, decodeUtf8, encodeBase64, equalBytes, parseBase64, utf8 } from './bytes.ts';
import { sha256 } from './digest.ts';
import { CoreError, messageOf } from './errors.ts';
import { type PrivateKey, type PublicKey, signWithKey, verifyWithKey } from './keys.ts';
import { escapeForTerminal } from './terminal-text.ts';

/** A C2SP signed note (https://c2sp.org/signed-note, v1.0.0): text, an empty line, signature lines. */
export type SignedNote = {
  /** Ends in a newline; this is what the signatures cover, as UTF-8. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
};

/** Name and key id together name the key and its algorithm; alone, neither means anything. */
export type NoteSignature = { readonly name: string; readonly id: Uint8Array; readonly signature: Uint8Array };

/** A key we know, under the name it signs by. Other algorithms (cosignatures) are other implementations of this. */
export type NoteVerifier = {
  readonly name: string;
  /** 4 bytes. */
  readonly id: Uint8Array;
  readonly verify: (text: Uint8Array, signature: Uint8Array) => boolean;
};

/** The spec asks for a limit, and for at least 16. */
export const MAX_NOTE_SIGNATURES = 32;
export const MAX_NOTE_BYTES = 256 * 1024;
/** "Ed25519 signatures as specified by this document" ("Signature types"). */
export const ED25519_NOTE_TYPE = Uint8Array.of(0x01);
const KEY_ID_BYTES = 4;

const SIGNATURE_LINE = /^\u2014 ([^ ]+) ([A-Za-z0-9+/]+={0,2})$/;
// Names must not contain Unicode spaces or '+' ("Format"); controls are refused in the whole note.
const NAME = /^[^\p{White_Space}+]+$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

/** The name of a key, or an origin that serves as one. */
export function isNoteName(name: string): boolean {
  return NAME.test(name) && !CONTROL.test(name) && name.isWellFormed();
}

/** `SHA-256(name ‖ 0x0A ‖ type ‖ 32-byte public key)[:4]` ("Signatures"). */
export function noteKeyId(name: string, type: Uint8Array, key: PublicKey): Uint8Array {
  return sha256(concatBytes(utf8(`${name}\n`), type, key.raw)).slice(0, KEY_ID_BYTES);
}

/** A verifier of plain Ed25519 over the text, under a signature type of one byte or, after 0xff, a longer name. */
export function ed25519NoteVerifier(name: string, key: PublicKey, type: Uint8Array = ED25519_NOTE_TYPE): NoteVerifier {
  return { name, id: noteKeyId(name, type, key), verify: (text, signature) => verifyWithKey(key, text, signature) };
}

/**
 * Signs the text, keeping the signatures of other keys.
 * @throws CoreError NOTE_MALFORMED if the text or the name can't stand in a note
 */
export function signNote(
  note: SignedNote,
  name: string,
  key: PrivateKey,
  type: Uint8Array = ED25519_NOTE_TYPE,
): SignedNote {
  assertText(note.text);
  if (!isNoteName(name)) throw malformed('the key name is empty or has a space or a plus in it');
  const id = noteKeyId(name, type, key.publicKey);
  const others = note.signatures.filter((other) => other.name !== name || !equalBytes(other.id, id));
  return { text: note.text, signatures: [...others, { name, id, signature: signWithKey(key, utf8(note.text)) }] };
}

export function encodeNote({ text, signatures }: SignedNote): Uint8Array {
  const lines = signatures.map(
    ({ name, id, signature }) => `\u2014 ${name} ${encodeBase64(concatBytes(id, signature))}\n`,
  );
  return utf8(`${text}\n${lines.join('')}`);
}

/**
 * Parses a note without judging its signatures: the text means nothing until {@link verifyNote} has.
 * What parses encodes to the same bytes again.
 * @throws CoreError NOTE_MALFORMED
 */
export function parseNote(bytes: Uint8Array): SignedNote {
  if (bytes.length > MAX_NOTE_BYTES) throw malformed(`it is over ${MAX_NOTE_BYTES} bytes`);
  const whole = decode(bytes);
  if (CONTROL.test(whole)) throw malformed('it has a control character other than newline');
  // The last empty line: the text itself may contain some ("Format").
  const gap = whole.lastIndexOf('\n\n');
  if (gap < 0 || !whole.endsWith('\n')) throw malformed('it has no empty line before signature lines');
  const lines = whole.slice(gap + 2, -1).split('\n');
  if (lines.length > MAX_NOTE_SIGNATURES) throw malformed(`it has over ${MAX_NOTE_SIGNATURES} signatures`);
  return { text: whole.slice(0, gap + 1), signatures: lines.map(parseSignatureLine) };
}

function decode(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed(messageOf(cause), cause);
  }
}

function parseSignatureLine(line: string): NoteSignature {
  const [, name, base64] = SIGNATURE_LINE.exec(line) ?? [];
  if (name === undefined || base64 === undefined || !NAME.test(name)) throw malformed('a signature line is malformed');
  const bytes = decodeSignature(base64);
  if (bytes.length <= KEY_ID_BYTES) throw malformed('a signature is too short');
  return { name, id: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) };
}

function decodeSignature(base64: string): Uint8Array {
  try {
    return parseBase64(base64);
  } catch (cause) {
    throw malformed('a signature is not canonical base64', cause);
  }
}

/**
 * The known keys that signed the note, each once. Signatures of unknown keys are ignored, even where they share a name
 * or an id (not both) with a known one; a known key's signature that fails rejects the whole note ("Signatures").
 * @throws CoreError NOTE_SIGNATURE if a known key's signature fails, or no known key signed
 */
export function verifyNote<V extends NoteVerifier>(note: SignedNote, known: readonly V[]): V[] {
  const text = utf8(note.text);
  const signers = known.filter((verifier) => {
    const own = note.signatures.filter(({ name, id }) => name === verifier.name && equalBytes(id, verifier.id));
    if (!own.every(({ signature }) => verifier.verify(text, signature))) {
      throw badSignature(`the signature of ${escapeForTerminal(verifier.name)} is not valid for this text`);
    }
    return own.length > 0;
  });
  if (signers.length === 0) throw badSignature('no known key signed it');
  return signers;
}

function assertText(text: string): void {
  if (!text.endsWith('\n') || CONTROL.test(text) || !text.isWellFormed()) {
    throw malformed('the text must end in a newline and hold no other control character');
  }
}

function malformed(problem: string, cause?: unknown): CoreError {
  return new CoreError('NOTE_MALFORMED', `not a signed note: ${problem}`, { cause, fault: 'untrusted' });
}

function badSignature(problem: string): CoreError {
  return new CoreError('NOTE_SIGNATURE', `the signed note is not to be trusted: ${problem}`, { fault: 'untrusted' });
}
