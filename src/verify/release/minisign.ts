import { concatBytes, encodeBase64, equalBytes, parseBase64, utf8 } from '../../core/bytes.ts';
import type { Signer } from '../../core/checks.ts';
import { ed25519Spki } from '../../core/ed25519.ts';
import { messageOf } from '../../core/errors.ts';
import { type PublicKey, publicKeyFromSpki, verifyWithKey } from '../../core/keys.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { ReleaseError } from './errors.ts';
import { digestOf, type Message, type MessageHash, wholeOf } from './message.ts';
import { MAX_SIGNATURE_BYTES, type Malformed, malformedAs, readText } from './text.ts';

/**
 * minisign (https://jedisct1.github.io/minisign/, "Signature format" and "Public key format").
 *
 * Public key: a comment line, then base64 of `Ed`, 8 bytes of key id, 32 bytes of key. Signature: a comment line, base64
 * of the algorithm, the key id and 64 bytes, a trusted comment, and base64 of the 64 bytes that sign it.
 */
const KEY_ALGORITHM = utf8('Ed');
/** `Ed`: over the file itself; `ED`: over its BLAKE2b-512. */
const LEGACY = utf8('Ed');
const PREHASHED = utf8('ED');
const KEY_ID_BYTES = 8;
const KEY_BYTES = 2 + KEY_ID_BYTES + 32;
const SIGNATURE_BYTES = 2 + KEY_ID_BYTES + 64;
const GLOBAL_BYTES = 64;
/** BLAKE2b-512. */
const PREHASH_BYTES = 64;
const UNTRUSTED = 'untrusted comment: ';
const TRUSTED = 'trusted comment: ';
/** COMMENTMAXBYTES and TRUSTEDCOMMENTMAXBYTES of the tool, which cuts what is longer. */
const MAX_COMMENT = 1024;
const MAX_TRUSTED_COMMENT = 8192;

export type MinisignKey = { readonly id: Uint8Array; readonly key: PublicKey };

export type MinisignSignature = {
  readonly algorithm: 'legacy' | 'prehashed';
  readonly id: Uint8Array;
  readonly signature: Uint8Array;
  /** Covered by the global signature: what the publisher says of the file, often its name and a time. */
  readonly trustedComment: string;
  readonly globalSignature: Uint8Array;
};

export type MinisignVerdict = { readonly signer: Signer; readonly trustedComment: string; readonly keyId: string };

const badKey = malformedAs('MINISIGN_KEY_MALFORMED', 'not a minisign public key');
const bad = malformedAs('MINISIGN_MALFORMED', 'not a minisign signature');

/**
 * A public key file, or only its second line (`RW…`), as publishers print it on their pages.
 * @throws ReleaseError MINISIGN_KEY_MALFORMED or MATERIAL_TOO_LARGE
 */
export function parseMinisignKey(bytes: Uint8Array): MinisignKey {
  const lines = linesOf(readText(bytes, MAX_SIGNATURE_BYTES, badKey));
  const [first = '', second] = lines;
  if (lines.length === 2 && !first.startsWith(UNTRUSTED)) throw badKey(`its first line is no "${UNTRUSTED.trim()}"`);
  if (lines.length > 2) throw badKey('it has more than two lines');
  const packet = packetOf(second ?? first, KEY_BYTES, badKey);
  if (!equalBytes(packet.subarray(0, 2), KEY_ALGORITHM)) throw badKey('its algorithm is not Ed');
  try {
    const key = publicKeyFromSpki(ed25519Spki(packet.subarray(2 + KEY_ID_BYTES)));
    return { id: packet.slice(2, 2 + KEY_ID_BYTES), key };
  } catch (cause) {
    throw badKey(messageOf(cause), cause);
  }
}

/** @throws ReleaseError MINISIGN_MALFORMED or MATERIAL_TOO_LARGE */
export function parseMinisignSignature(bytes: Uint8Array): MinisignSignature {
  const lines = linesOf(readText(bytes, MAX_SIGNATURE_BYTES, bad));
  const [comment = '', first = '', trusted = '', second = ''] = lines;
  if (lines.length !== 4) throw bad(`it has ${lines.length} lines, not 4`);
  if (!comment.startsWith(UNTRUSTED)) throw bad(`its first line is no "${UNTRUSTED.trim()}"`);
  if (!trusted.startsWith(TRUSTED)) throw bad(`its third line is no "${TRUSTED.trim()}"`);
  if (utf8(comment).length > MAX_COMMENT || utf8(trusted).length > MAX_TRUSTED_COMMENT)
    throw bad('a comment is too long');
  const packet = packetOf(first, SIGNATURE_BYTES, bad);
  const algorithm = packet.subarray(0, 2);
  const isPrehashed = equalBytes(algorithm, PREHASHED);
  if (!isPrehashed && !equalBytes(algorithm, LEGACY)) throw bad('its algorithm is neither Ed nor ED');
  return {
    algorithm: isPrehashed ? 'prehashed' : 'legacy',
    id: packet.slice(2, 2 + KEY_ID_BYTES),
    signature: packet.slice(2 + KEY_ID_BYTES),
    trustedComment: trusted.slice(TRUSTED.length),
    globalSignature: packetOf(second, GLOBAL_BYTES, bad),
  };
}

/** What {@link parseMinisignKey} reads. */
export function encodeMinisignKey({ id, key }: MinisignKey): string {
  const packet = concatBytes(KEY_ALGORITHM, id, key.raw);
  return `${UNTRUSTED}minisign public key ${shownId(id)}\n${encodeBase64(packet)}\n`;
}

/** The bytes that the global signature covers. */
export function minisignCovered(signature: Uint8Array, trustedComment: string): Uint8Array {
  return concatBytes(signature, utf8(trustedComment));
}

/** What {@link parseMinisignSignature} reads. */
export function encodeMinisignSignature(signature: MinisignSignature): string {
  const { algorithm, id, trustedComment, globalSignature } = signature;
  const packet = concatBytes(algorithm === 'prehashed' ? PREHASHED : LEGACY, id, signature.signature);
  const lines = [
    `${UNTRUSTED}signature of minisign key ${shownId(id)}`,
    encodeBase64(packet),
    `${TRUSTED}${trustedComment}`,
    encodeBase64(globalSignature),
  ];
  return `${lines.join('\n')}\n`;
}

/** What has to be known of the message before this signature can be checked. */
export function minisignNeeds({ algorithm }: MinisignSignature): MessageHash | 'whole' {
  return algorithm === 'prehashed' ? 'blake2b512' : 'whole';
}

/**
 * Checks both signatures: over the message, and over that signature with the trusted comment.
 * @throws ReleaseError MINISIGN_KEY_MISMATCH, MINISIGN_SIGNATURE, MINISIGN_COMMENT or MESSAGE_TOO_LARGE
 */
export function verifyMinisign(message: Message, signature: MinisignSignature, key: MinisignKey): MinisignVerdict {
  if (!equalBytes(signature.id, key.id)) {
    throw new ReleaseError(
      'MINISIGN_KEY_MISMATCH',
      `made with minisign key ${shownId(signature.id)}, while the trusted one is ${shownId(key.id)}`,
    );
  }
  // Which of the two forms it is, nobody signed. A signature over the hash of one file is a legacy one over a file that
  // is that hash, so of a file of just that size nobody can tell what its signer saw.
  if (signature.algorithm === 'legacy' && message.size === PREHASH_BYTES) {
    throw new ReleaseError(
      'MINISIGN_SIGNATURE',
      `a legacy minisign signature over a file of ${PREHASH_BYTES} bytes may be one over another file with that hash; ask for one made without -l`,
    );
  }
  const signed =
    signature.algorithm === 'prehashed' ? digestOf(message, 'blake2b512') : wholeOf(message, 'legacy minisign');
  if (!verifyWithKey(key.key, signed, signature.signature)) {
    const name = escapeForTerminal(message.name);
    throw new ReleaseError(
      'MINISIGN_SIGNATURE',
      `the minisign signature is not one of ${shownId(key.id)} over ${name}`,
    );
  }
  const covered = minisignCovered(signature.signature, signature.trustedComment);
  if (!verifyWithKey(key.key, covered, signature.globalSignature)) {
    throw new ReleaseError('MINISIGN_COMMENT', 'the trusted comment of the minisign signature was altered');
  }
  const signer = { keyid: key.key.keyid, role: 'minisign' };
  return { signer, trustedComment: signature.trustedComment, keyId: shownId(key.id) };
}

/** As the tool prints it: the eight bytes as one little-endian number. */
function shownId(id: Uint8Array): string {
  return Buffer.from(id).reverse().toString('hex').toUpperCase();
}

/** The last line may lack its newline: people paste these. */
function linesOf(text: string): string[] {
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

function packetOf(line: string, length: number, malformed: Malformed): Uint8Array {
  let packet: Uint8Array;
  try {
    packet = parseBase64(line);
  } catch (cause) {
    throw malformed('a line is not canonical base64', cause);
  }
  if (packet.length !== length) throw malformed(`a line holds ${packet.length} bytes, not ${length}`);
  return packet;
}
