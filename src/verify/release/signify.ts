import { concatBytes, encodeBase64, encodeHex, equalBytes, parseBase64, utf8 } from '../../core/bytes.ts';
import type { Signer } from '../../core/checks.ts';
import { ed25519Spki } from '../../core/ed25519.ts';
import { messageOf } from '../../core/errors.ts';
import { type PublicKey, publicKeyFromSpki, verifyWithKey } from '../../core/keys.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { ReleaseError } from './errors.ts';
import { type Message, wholeOf } from './message.ts';
import { assertSize, MAX_SIGNATURE_BYTES, type Malformed, malformedAs, readText } from './text.ts';

/**
 * signify (OpenBSD, signify(1) and `usr.bin/signify/signify.c`): a comment line, then base64 of `Ed`, 8 random bytes
 * that number the key, and 32 bytes of key or 64 of signature. With `-e` the signed text follows in the same file.
 */
const ALGORITHM = utf8('Ed');
const KEY_NUMBER_BYTES = 8;
const KEY_BYTES = 2 + KEY_NUMBER_BYTES + 32;
const SIGNATURE_BYTES = 2 + KEY_NUMBER_BYTES + 64;
const COMMENT = 'untrusted comment: ';
/** COMMENTMAXLEN. */
const MAX_COMMENT = 1024;
/** Most bytes of a file with the signed text in it: these are lists of checksums. */
export const MAX_EMBEDDED_BYTES = 16 * 1024 * 1024;

export type SignifyKey = { readonly number: Uint8Array; readonly key: PublicKey };

export type SignifySignature = {
  readonly number: Uint8Array;
  readonly signature: Uint8Array;
  /** Of an embedded signature: the text that follows it, which is what it signs. */
  readonly embedded?: Uint8Array;
};

const badKey = malformedAs('SIGNIFY_KEY_MALFORMED', 'not a signify public key');
const bad = malformedAs('SIGNIFY_MALFORMED', 'not a signify signature');
const NEWLINE = 0x0a;

/** @throws ReleaseError SIGNIFY_KEY_MALFORMED or MATERIAL_TOO_LARGE */
export function parseSignifyKey(bytes: Uint8Array): SignifyKey {
  const { number, rest, after } = parseFile(bytes, MAX_SIGNATURE_BYTES, KEY_BYTES, badKey);
  if (after.length > 0) throw badKey('it has more than two lines');
  try {
    return { number, key: publicKeyFromSpki(ed25519Spki(rest)) };
  } catch (cause) {
    throw badKey(messageOf(cause), cause);
  }
}

/** @throws ReleaseError SIGNIFY_MALFORMED or MATERIAL_TOO_LARGE */
export function parseSignifySignature(bytes: Uint8Array): SignifySignature {
  const { number, rest, after } = parseFile(bytes, MAX_EMBEDDED_BYTES, SIGNATURE_BYTES, bad);
  return { number, signature: rest, ...(after.length === 0 ? {} : { embedded: after }) };
}

/** What {@link parseSignifyKey} reads. */
export function encodeSignifyKey({ number, key }: SignifyKey): string {
  return encodeFile(`public key ${encodeHex(number)}`, concatBytes(ALGORITHM, number, key.raw));
}

/** What {@link parseSignifySignature} reads, apart from the file. */
export function encodeSignifySignature({ number, signature }: SignifySignature): string {
  return encodeFile(`signature of key ${encodeHex(number)}`, concatBytes(ALGORITHM, number, signature));
}

function encodeFile(comment: string, packet: Uint8Array): string {
  return `${COMMENT}${comment}\n${encodeBase64(packet)}\n`;
}

/**
 * @param message the file, or of an embedded signature the text in it
 * @throws ReleaseError SIGNIFY_KEY_MISMATCH, SIGNIFY_SIGNATURE or MESSAGE_TOO_LARGE
 */
export function verifySignify(message: Message, signature: SignifySignature, key: SignifyKey): Signer {
  if (!equalBytes(signature.number, key.number)) {
    throw new ReleaseError('SIGNIFY_KEY_MISMATCH', 'made with another signify key than the trusted one');
  }
  if (!verifyWithKey(key.key, wholeOf(message, 'signify'), signature.signature)) {
    const name = escapeForTerminal(message.name);
    throw new ReleaseError('SIGNIFY_SIGNATURE', `the signify signature is not one of the trusted key over ${name}`);
  }
  return { keyid: key.key.keyid, role: 'signify' };
}

type Parsed = { readonly number: Uint8Array; readonly rest: Uint8Array; readonly after: Uint8Array };

function parseFile(bytes: Uint8Array, maxBytes: number, length: number, malformed: Malformed): Parsed {
  assertSize(bytes, maxBytes, malformed);
  const first = bytes.indexOf(NEWLINE);
  const second = first === -1 ? -1 : bytes.indexOf(NEWLINE, first + 1);
  if (second === -1) throw malformed('it has not two lines that end in a newline');
  const comment = readText(bytes.subarray(0, first), MAX_COMMENT, malformed);
  if (!comment.startsWith(COMMENT)) throw malformed(`its first line is no "${COMMENT.trim()}"`);
  const packet = packetOf(readText(bytes.subarray(first + 1, second), MAX_COMMENT, malformed), malformed);
  if (packet.length !== length) throw malformed(`its second line holds ${packet.length} bytes, not ${length}`);
  if (!equalBytes(packet.subarray(0, 2), ALGORITHM)) throw malformed('its algorithm is not Ed');
  return {
    number: packet.slice(2, 2 + KEY_NUMBER_BYTES),
    rest: packet.slice(2 + KEY_NUMBER_BYTES),
    after: bytes.slice(second + 1),
  };
}

function packetOf(line: string, malformed: Malformed): Uint8Array {
  try {
    return parseBase64(line);
  } catch (cause) {
    throw malformed('its second line is not canonical base64', cause);
  }
}
