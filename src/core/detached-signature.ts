import { decodeUtf8, parseBase64 } from './bytes.ts';
import { type Envelope, preAuthEncoding, signingKeys, withSignature } from './dsse.ts';
import { ED25519_SIGNATURE_BYTES } from './ed25519.ts';
import { CoreError } from './errors.ts';
import { type PublicKey, verifyWithKey } from './keys.ts';

/**
 * A signature as a smart card, an HSM or `openssl pkeyutl -sign -rawin` leaves it: 64 bytes (RFC 8032 section 5.1.6),
 * or these in base64, as cards and mail deliver them; line breaks don't matter.
 * @throws CoreError SIGNATURE_MALFORMED
 */
export function parseDetachedSignature(bytes: Uint8Array): Uint8Array {
  if (bytes.length === ED25519_SIGNATURE_BYTES) return bytes;
  try {
    const signature = parseBase64(decodeUtf8(bytes).replace(/[\r\n]/g, ''));
    if (signature.length === ED25519_SIGNATURE_BYTES) return signature;
  } catch {
    // Neither form: said below.
  }
  const message = `not an Ed25519 signature: ${bytes.length} bytes, which are neither 64 nor those in base64`;
  throw new CoreError('SIGNATURE_MALFORMED', message);
}

/**
 * Adds a signature that was made elsewhere over `preAuthEncoding` of the envelope, if it is one.
 * @throws CoreError BAD_SIGNATURE (another key, another document, other bytes than the encoding) or SIGNATURE_DUPLICATE
 *   (this key's is there already: somebody may have mixed up the files)
 */
export function addDetachedSignature(envelope: Envelope, key: PublicKey, signature: Uint8Array): Envelope {
  if (!verifyWithKey(key, preAuthEncoding(envelope.payloadType, envelope.payload), signature)) {
    const why = verifyWithKey(key, envelope.payload, signature)
      ? 'it was made over the document alone; sign exactly what --print-pae writes'
      : 'another key made it, or it is for another document';
    const message = `the signature is not one of key ${key.keyid} over this document: ${why}`;
    throw new CoreError('BAD_SIGNATURE', message, { fault: 'untrusted' });
  }
  if (signingKeys(envelope, [key]).length > 0) {
    throw new CoreError(
      'SIGNATURE_DUPLICATE',
      `key ${key.keyid} has signed this document already; nothing was changed`,
    );
  }
  return withSignature(envelope, { keyid: key.keyid, sig: signature });
}
