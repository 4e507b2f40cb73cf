import { decodeUtf8, parseBase64 } from '../../core/bytes.ts';
import type { Signer } from '../../core/checks.ts';
import { parseDetachedSignature } from '../../core/detached-signature.ts';
import { messageOf } from '../../core/errors.ts';
import { publicKeyFromSpki, verifyWithKey } from '../../core/keys.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { ReleaseError } from './errors.ts';
import { verifyDigest } from './key-signature.ts';
import { digestOf, type Message, wholeOf } from './message.ts';
import type { ReleaseKey } from './release-key.ts';
import { assertSize, MAX_SIGNATURE_BYTES, malformedAs } from './text.ts';

/** DER: SEQUENCE. */
const DER_SEQUENCE = 0x30;

const bad = malformedAs('RAW_MALFORMED', 'not a signature');

/** What has to be known of the message before a signature of this key can be checked. */
export function rawNeeds({ handle }: ReleaseKey): 'whole' | 'sha256' {
  return handle.asymmetricKeyType === 'ed25519' ? 'whole' : 'sha256';
}

/**
 * Checks a detached signature: Ed25519 over the file itself (`openssl pkeyutl -sign -rawin`), or ECDSA or RSA over its
 * SHA-256 (`openssl dgst -sha256 -sign`). Either as bytes or in base64, as cosign writes it.
 * @throws ReleaseError RAW_MALFORMED, RAW_SIGNATURE, MESSAGE_TOO_LARGE or MATERIAL_TOO_LARGE
 */
export function verifyRaw(message: Message, signature: Uint8Array, key: ReleaseKey): Signer {
  assertSize(signature, MAX_SIGNATURE_BYTES, bad);
  if (isSignature(message, signature, key)) return { keyid: key.keyid, role: 'key' };
  const name = escapeForTerminal(message.name);
  throw new ReleaseError('RAW_SIGNATURE', `the signature is not one of key ${key.keyid} over ${name}`);
}

function isSignature(message: Message, signature: Uint8Array, { handle, spki }: ReleaseKey): boolean {
  switch (handle.asymmetricKeyType) {
    case 'ed25519':
      return verifyWithKey(publicKeyFromSpki(spki), wholeOf(message, 'plain Ed25519'), ed25519Signature(signature));
    case 'ec': {
      const isDer = signature[0] === DER_SEQUENCE;
      const der = isDer ? signature : decoded(signature);
      if (der[0] !== DER_SEQUENCE) throw bad('it is neither DER nor base64 of that');
      return verifyDigest(handle, 'sha256', digestOf(message, 'sha256'), der);
    }
    default: {
      const length = (handle.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
      const raw = signature.length === length ? signature : decoded(signature);
      return verifyDigest(handle, 'sha256', digestOf(message, 'sha256'), raw);
    }
  }
}

function ed25519Signature(bytes: Uint8Array): Uint8Array {
  try {
    return parseDetachedSignature(bytes);
  } catch (cause) {
    throw bad(messageOf(cause), cause);
  }
}

function decoded(bytes: Uint8Array): Uint8Array {
  try {
    return parseBase64(decodeUtf8(bytes).replace(/\n/g, ''));
  } catch (cause) {
    throw bad('it is neither bytes of the right form nor base64 of them', cause);
  }
}
