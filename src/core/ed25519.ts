import { createPublicKey, type KeyObject, verify as nodeVerify } from 'node:crypto';
import * as noble from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { Affirmed } from './affirmed.ts';
import { concatBytes, parseHex } from './bytes.ts';
import { CoreError } from './errors.ts';

// noble leaves SHA-512 to the caller for its synchronous functions.
noble.hashes.sha512 = sha512;

/** SPKI DER of an Ed25519 key up to the 32 key bytes (RFC 8410 section 4). */
const SPKI_PREFIX = parseHex('302a300506032b6570032100');
export const ED25519_KEY_BYTES = 32;
export const ED25519_SIGNATURE_BYTES = 64;

/** What noble takes milliseconds for and a command asks again: a log's heads at every opening, a root for every document. */
const SAFE_KEYS = new Affirmed(256);
const AGREED = new Affirmed(1024);

/** SPKI DER (44 bytes) of a raw public key. */
export function ed25519Spki(raw: Uint8Array): Uint8Array {
  return concatBytes(SPKI_PREFIX, raw);
}

/**
 * The raw key in an SPKI of exactly the RFC 8410 shape; undefined for any other SPKI.
 */
export function ed25519FromSpki(spki: Uint8Array): Uint8Array | undefined {
  if (spki.length !== SPKI_PREFIX.length + ED25519_KEY_BYTES) return undefined;
  if (!SPKI_PREFIX.every((byte, i) => spki[i] === byte)) return undefined;
  return spki.slice(SPKI_PREFIX.length);
}

/**
 * Refuses public keys under which a signature may not mean what it says.
 *
 * A low-order key (RFC 8032 section 8.9, "Taming the many EdDSAs" table 1) verifies one signature over many messages;
 * a key with a torsion component verifies differently in cofactored and cofactorless verifiers; a second encoding of
 * a point gives one key two ids.
 * @throws CoreError KEY_NOT_CANONICAL, KEY_LOW_ORDER or KEY_MIXED_ORDER
 */
export function assertSafePublicKey(raw: Uint8Array): void {
  SAFE_KEYS.unlessKnown(raw, () => {
    const point = decodePoint(raw);
    if (point.isSmallOrder()) throw new CoreError('KEY_LOW_ORDER', 'the public key is a point of low order');
    if (!point.isTorsionFree()) throw new CoreError('KEY_MIXED_ORDER', 'the public key has a low-order component');
    return true;
  });
}

function decodePoint(raw: Uint8Array): noble.Point {
  try {
    // zip215 off: only the canonical encoding of a point on the curve (RFC 8032 section 5.1.3).
    return noble.Point.fromBytes(raw, false);
  } catch (cause) {
    throw new CoreError('KEY_NOT_CANONICAL', 'the public key is not a canonical point of the curve', { cause });
  }
}

/**
 * Verifies a document's signature: accepted only when @noble/ed25519 in strict mode and node:crypto both accept it.
 * They differ on purpose-made signatures (noble multiplies by the cofactor, OpenSSL does not), so neither is enough.
 * `raw` must have passed {@link assertSafePublicKey}.
 */
export function verifyEd25519(raw: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== ED25519_SIGNATURE_BYTES || raw.length !== ED25519_KEY_BYTES) return false;
  if (!nodeVerify(null, message, ed25519KeyObject(raw), signature)) return false;
  // Two fixed lengths and the rest: no other three values are these bytes.
  return AGREED.unlessKnown(concatBytes(raw, signature, message), () => verifyStrictly(raw, message, signature));
}

function verifyStrictly(raw: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return noble.verify(signature, message, raw, { zip215: false });
  } catch {
    // noble throws on an R that is not a point or an S that is not below the group order: not a valid signature.
    return false;
  }
}

export function ed25519KeyObject(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(ed25519Spki(raw)), format: 'der', type: 'spki' });
}
