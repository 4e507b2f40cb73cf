import { constants, type KeyObject, publicDecrypt, verify } from 'node:crypto';
import { concatBytes, encodeHex, equalBytes, parseHex } from '../../core/bytes.ts';
import { publicKeyFromSpki, verifyWithKey } from '../../core/keys.ts';
import { isNistCurve, type NistCurve, nistCurve } from './nist-curves.ts';

/** The hashes that signatures of releases are made over. */
export type SignedHash = 'sha256' | 'sha384' | 'sha512';

/** The hash of each curve's size. */
const CURVE_HASHES: Readonly<Record<NistCurve, SignedHash>> = {
  prime256v1: 'sha256',
  secp384r1: 'sha384',
  secp521r1: 'sha512',
};

/** DigestInfo before the digest (RFC 8017 section 9.2, note 1). */
const DIGEST_INFO: Readonly<Record<SignedHash, Uint8Array>> = {
  sha256: parseHex('3031300d060960864801650304020105000420'),
  sha384: parseHex('3041300d060960864801650304020205000430'),
  sha512: parseHex('3051300d060960864801650304020305000440'),
};

/**
 * Verifies a signature over a message that was hashed elsewhere: an artifact of gigabytes is read once, not once more for
 * each signature. ECDSA in DER (FIPS 186-5) or RSA PKCS#1 v1.5; never Ed25519, which signs the message itself.
 * @param digest bytes of `hash` of the message
 */
export function verifyDigest(key: KeyObject, hash: SignedHash, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    if (key.asymmetricKeyType === 'rsa') return verifyRsaDigest(key, hash, digest, signature);
    const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
    if (key.asymmetricKeyType !== 'ec' || !isNistCurve(curve)) return false;
    // High S is as good as low S here: nothing takes a signature's bytes for an identity.
    return nistCurve(curve).verify(signature, digest, rawPoint(key), { prehash: false, lowS: false, format: 'der' });
  } catch {
    // A signature that isn't even one: noble and OpenSSL throw where they can't parse it.
    return false;
  }
}

function rawPoint(key: KeyObject): Uint8Array {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return concatBytes(Uint8Array.of(0x04), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'));
}

/** The whole encoded message is compared, so that no lenient parser of the padding has a say (Bleichenbacher 2006). */
function verifyRsaDigest(key: KeyObject, hash: SignedHash, digest: Uint8Array, signature: Uint8Array): boolean {
  const recovered = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
  return equalBytes(recovered, concatBytes(DIGEST_INFO[hash], digest));
}

/**
 * Verifies a signature over a message in memory: Ed25519 by both of our verifiers, ECDSA by the hash of its curve's size
 * (or SHA-256, which cosign takes for every curve), RSA by SHA-256.
 */
export function verifyMessage(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    const details = key.asymmetricKeyDetails;
    switch (key.asymmetricKeyType) {
      case 'ed25519': {
        const spki = new Uint8Array(key.export({ format: 'der', type: 'spki' }));
        return verifyWithKey(publicKeyFromSpki(spki), message, signature);
      }
      case 'ec': {
        const curve = details?.namedCurve ?? '';
        const hashes = isNistCurve(curve) ? new Set(['sha256', CURVE_HASHES[curve]]) : [];
        return [...hashes].some((hash) => verify(hash, message, key, signature));
      }
      case 'rsa':
        return verify('sha256', message, key, signature);
      default:
        return false;
    }
  } catch {
    return false;
  }
}

/** Of the key's public half, for comparing two keys. */
export function spkiHex(key: KeyObject): string {
  return encodeHex(new Uint8Array(key.export({ format: 'der', type: 'spki' })));
}
