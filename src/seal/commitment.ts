import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { concatBytes, utf8 } from '../core/bytes.ts';
import { type Digest, formatDigest, parseDigest } from '../core/digest.ts';
import { SealError } from './errors.ts';
import {
  AEAD,
  COMMIT_KEY_INFO,
  KEY_BYTES,
  MAX_VALUE_BYTES,
  NONCE_BYTES,
  PADDING_BYTES,
  type SecretKind,
  TAG_BYTES,
  VALUE_KEY_INFO,
} from './format.ts';

/**
 * One value under one record key: 32 random bytes that are used for nothing else. HKDF-SHA256 (RFC 5869, no salt)
 * makes two keys of it, one for the commitment that stands in the line, one for the encrypted value beside it.
 * Whoever is given the record key can check the one and open the other, and nothing else.
 *
 * A *value* is bytes: each argument, or each NAME=value, followed by a NUL, as the kernel keeps them. No argument can
 * contain a NUL, so this has one reading only.
 */

/**
 * HMAC-SHA256 of the value, as `sha256:<hex>`. It hides the value even if there are few possibilities, because its key
 * is random; it binds to it because two keys of this length that give the same HMAC would be a collision of SHA-256.
 */
export function commitTo(kind: SecretKind, recordKey: Uint8Array, value: Uint8Array): Digest {
  const key = derive(recordKey, COMMIT_KEY_INFO + kind);
  return formatDigest('sha256', new Uint8Array(createHmac('sha256', key).update(value).digest()));
}

/** @throws SealError COMMITMENT_MISMATCH if this value, under this key, isn't what the line committed to */
export function assertCommitment(kind: SecretKind, recordKey: Uint8Array, value: Uint8Array, commit: Digest): void {
  const actual = parseDigest(commitTo(kind, recordKey, value));
  const claimed = parseDigest(commit);
  if (claimed.name === 'sha256' && timingSafeEqual(actual.hash, claimed.hash)) return;
  const message = 'the sealed value is not the one that the log line committed to; trust the line, not the value';
  throw new SealError('COMMITMENT_MISMATCH', message, { fault: 'untrusted' });
}

/**
 * Encrypts a value: ChaCha20-Poly1305 with its commitment as associated data. The nonce is zero, since the key is for
 * this one message. The length is padded.
 * @returns ciphertext and tag
 * @throws SealError VALUE_TOO_LONG over 1 MiB
 */
export function encryptValue(kind: SecretKind, recordKey: Uint8Array, value: Uint8Array, commit: Digest): Uint8Array {
  if (value.length > MAX_VALUE_BYTES) {
    throw new SealError('VALUE_TOO_LONG', `a value of ${value.length} bytes is over the limit of ${MAX_VALUE_BYTES}`);
  }
  return aeadSeal(derive(recordKey, VALUE_KEY_INFO + kind), new Uint8Array(NONCE_BYTES), pad(value), utf8(commit));
}

/**
 * Opens {@link encryptValue}, and checks the value against the commitment.
 * @throws SealError SEALED_DAMAGED or COMMITMENT_MISMATCH
 */
export function decryptValue(kind: SecretKind, recordKey: Uint8Array, box: Uint8Array, commit: Digest): Uint8Array {
  const key = derive(recordKey, VALUE_KEY_INFO + kind);
  const value = unpad(aeadOpen(key, new Uint8Array(NONCE_BYTES), box, utf8(commit)));
  assertCommitment(kind, recordKey, value, commit);
  return value;
}

function derive(recordKey: Uint8Array, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', recordKey, new Uint8Array(), info, KEY_BYTES));
}

export function aeadSeal(key: Uint8Array, nonce: Uint8Array, plain: Uint8Array, bound: Uint8Array): Uint8Array {
  const cipher = createCipheriv(AEAD, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound, { plaintextLength: plain.length });
  return concatBytes(cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

/** @throws SealError SEALED_DAMAGED: another key, or something was changed */
export function aeadOpen(key: Uint8Array, nonce: Uint8Array, box: Uint8Array, bound: Uint8Array): Uint8Array {
  const end = box.length - TAG_BYTES;
  try {
    const decipher = createDecipheriv(AEAD, key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(bound, { plaintextLength: end });
    decipher.setAuthTag(box.subarray(end));
    return concatBytes(decipher.update(box.subarray(0, end)), decipher.final());
  } catch (cause) {
    throw damaged('it does not open with this key', cause);
  }
}

/** ISO/IEC 7816-4: 0x80, then zeros. The value's own end stays findable whatever it ends with. */
function pad(value: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((value.length + 1) / PADDING_BYTES) * PADDING_BYTES);
  padded.set(value);
  padded[value.length] = 0x80;
  return padded;
}

function unpad(padded: Uint8Array): Uint8Array {
  const end = padded.findLastIndex((byte) => byte !== 0);
  if (padded[end] !== 0x80) throw damaged('its padding is wrong');
  return padded.subarray(0, end);
}

function damaged(problem: string, cause?: unknown): SealError {
  return new SealError('SEALED_DAMAGED', `a sealed value can't be opened: ${problem}`, { cause, fault: 'untrusted' });
}

/** The bytes that a commitment covers. @throws SealError SEALED_MALFORMED for a part with a NUL in it */
export function joinValues(values: readonly Uint8Array[]): Uint8Array {
  if (values.some((value) => value.includes(0))) {
    throw new SealError('SEALED_MALFORMED', 'an argument can not contain a NUL');
  }
  return concatBytes(...values.flatMap((value) => [value, new Uint8Array(1)]));
}

/** The parts of such bytes. A program that overwrote its own arguments may have left the last without its NUL. */
export function splitValues(value: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < value.length; ) {
    const end = value.indexOf(0, at);
    const stop = end === -1 ? value.length : end;
    parts.push(value.subarray(at, stop));
    at = stop + 1;
  }
  return parts;
}
