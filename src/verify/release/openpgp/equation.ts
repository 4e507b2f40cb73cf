import { concatBytes, equalBytes } from '../../../core/bytes.ts';
import { verifyWithKey } from '../../../core/keys.ts';
import { type SignedHash, verifyDigest } from '../key-signature.ts';
import type { PgpKey } from './public-key.ts';
import { type PgpSignature, signatureValues } from './signature.ts';

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * Whether the signature is one of the key over this digest, which holds the signed bytes and then the trailer. The same
 * verifiers as everywhere here: Ed25519 by two of them, ECDSA by noble, RSA by comparing the whole encoded message.
 * @throws ReleaseError PGP_MALFORMED
 */
export function solvesEquation(key: PgpKey, signature: PgpSignature, hash: SignedHash, digest: Uint8Array): boolean {
  if (signature.algorithm !== key.algorithm) return false;
  if (!equalBytes(signature.digestStart, digest.subarray(0, 2))) return false;
  const { material } = key;
  const values = signatureValues(signature, material.bytes);
  switch (material.kind) {
    case 'ed25519':
      // OpenPGP signs the digest, not the message (section 5.2.3.3): so an artifact of any size is read once.
      return verifyWithKey(material.key, digest, concatBytes(...values));
    case 'rsa':
      return verifyDigest(material.handle, hash, digest, concatBytes(...values));
    case 'ecdsa':
      return verifyDigest(material.handle, hash, digest, derOf(values));
  }
}

/** SEQUENCE of two INTEGERs (RFC 3279 section 2.2.3). */
function derOf(values: readonly Uint8Array[]): Uint8Array {
  const content = concatBytes(...values.map(derInteger));
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
  return concatBytes(Uint8Array.of(SEQUENCE, ...length), content);
}

function derInteger(padded: Uint8Array): Uint8Array {
  const first = padded.findIndex((byte) => byte !== 0);
  const value = first === -1 ? Uint8Array.of(0) : padded.subarray(first);
  const sign = (value[0] ?? 0) >= 0x80 ? [0] : [];
  return concatBytes(Uint8Array.of(INTEGER, value.length + sign.length, ...sign), value);
}
