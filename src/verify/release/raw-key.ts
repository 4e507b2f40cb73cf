import { createPublicKey, type KeyObject, verify as nodeVerify } from 'node:crypto';
import { decodeUtf8, encodeHex, equalBytes, parseBase64 } from '../../core/bytes.ts';
import type { Signer } from '../../core/checks.ts';
import { parseDetachedSignature } from '../../core/detached-signature.ts';
import { sha256 } from '../../core/digest.ts';
import { CoreError, messageOf } from '../../core/errors.ts';
import { type KeyId, type PublicKey, parsePublicKey, verifyWithKey } from '../../core/keys.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { ReleaseError } from './errors.ts';
import { type Message, wholeOf } from './message.ts';
import { assertSize, MAX_SIGNATURE_BYTES, malformedAs, readText } from './text.ts';

/** A public key as `openssl pkey -pubout` writes it: SPKI in PEM (RFC 7468 section 13). */
export type RawKey =
  | { readonly algorithm: 'ed25519'; readonly keyid: KeyId; readonly key: PublicKey }
  | { readonly algorithm: 'ecdsa'; readonly keyid: KeyId; readonly key: KeyObject };

/** Curves by the names OpenSSL has for them: P-256 and P-384. */
const CURVES: readonly string[] = ['prime256v1', 'secp384r1'];
/** DER: SEQUENCE. */
const DER_SEQUENCE = 0x30;

const badKey = malformedAs('RAW_KEY_MALFORMED', 'not a public key');
const bad = malformedAs('RAW_MALFORMED', 'not a signature');

/** @throws ReleaseError RAW_KEY_MALFORMED, RAW_KEY_ALGORITHM or MATERIAL_TOO_LARGE */
export function parseRawKey(bytes: Uint8Array): RawKey {
  const pem = readText(bytes, MAX_SIGNATURE_BYTES, badKey);
  try {
    const key = parsePublicKey(pem);
    return { algorithm: 'ed25519', keyid: key.keyid, key };
  } catch (cause) {
    if (!(cause instanceof CoreError) || cause.code !== 'KEY_ALGORITHM') throw badKey(messageOf(cause), cause);
  }
  const key = createPublicKey(pem);
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (key.asymmetricKeyType !== 'ec' || curve === undefined || !CURVES.includes(curve)) {
    const what = curve ?? key.asymmetricKeyType;
    throw new ReleaseError('RAW_KEY_ALGORITHM', `the key is of type ${what}; Ed25519, P-256 and P-384 are supported`);
  }
  const spki = new Uint8Array(key.export({ format: 'der', type: 'spki' }));
  // A second spelling of one key (compressed, or with bytes after it) would have another keyid.
  const given = parseBase64(pem.replace(/-----[^-]+-----|\s/g, ''));
  if (!equalBytes(spki, given)) throw badKey('its DER is not the one openssl writes');
  return { algorithm: 'ecdsa', keyid: encodeHex(sha256(spki)), key };
}

/**
 * Checks a detached signature: Ed25519 over the file itself (`openssl pkeyutl -sign -rawin`), or ECDSA over its
 * SHA-256 (`openssl dgst -sha256 -sign`) in DER. Either as bytes or in base64, as cosign writes it.
 * @throws ReleaseError RAW_MALFORMED, RAW_SIGNATURE, MESSAGE_TOO_LARGE or MATERIAL_TOO_LARGE
 */
export function verifyRaw(message: Message, signature: Uint8Array, key: RawKey): Signer {
  assertSize(signature, MAX_SIGNATURE_BYTES, bad);
  const whole = wholeOf(message, `a plain signature of type ${key.algorithm}`);
  const isValid =
    key.algorithm === 'ed25519'
      ? verifyWithKey(key.key, whole, ed25519Signature(signature))
      : // OpenSSL refuses every DER but the shortest, and bytes after it.
        nodeVerify('sha256', whole, { key: key.key, dsaEncoding: 'der' }, derSignature(signature));
  if (isValid) return { keyid: key.keyid, role: 'key' };
  const name = escapeForTerminal(message.name);
  throw new ReleaseError('RAW_SIGNATURE', `the signature is not one of key ${key.keyid} over ${name}`);
}

function ed25519Signature(bytes: Uint8Array): Uint8Array {
  try {
    return parseDetachedSignature(bytes);
  } catch (cause) {
    throw bad(messageOf(cause), cause);
  }
}

function derSignature(bytes: Uint8Array): Uint8Array {
  if (bytes[0] === DER_SEQUENCE) return bytes;
  try {
    const der = parseBase64(decodeUtf8(bytes).replace(/\n/g, ''));
    if (der[0] === DER_SEQUENCE) return der;
  } catch {
    // Said below: in neither form.
  }
  throw bad('it is neither DER nor base64 of that');
}
