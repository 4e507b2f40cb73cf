import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeUtf8, encodeHex, parseBase64 } from '../../core/bytes.ts';
import { sha256 } from '../../core/digest.ts';
import { messageOf } from '../../core/errors.ts';
import { type KeyId, publicKeyFromSpki } from '../../core/keys.ts';
import { ReleaseError } from './errors.ts';

/** A publisher's key, given by whoever verifies: Ed25519, ECDSA on a NIST curve, or RSA. */
export type ReleaseKey = {
  readonly keyid: KeyId;
  readonly handle: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
  /** When signatures under it count, in Unix milliseconds, both ends included; unset is unbounded. */
  readonly validFor?: { readonly start?: number; readonly end?: number };
};

const PEM = /^\s*-----BEGIN PUBLIC KEY-----\r?\n([A-Za-z0-9+/=\r\n]+?)\r?\n-----END PUBLIC KEY-----\s*$/;
/** The curves that are supported, and bytes of a point in full: 0x04 and both coordinates (SEC 1 section 2.3.3). */
const POINT_BYTES: Readonly<Record<string, number>> = { prime256v1: 65, secp384r1: 97, secp521r1: 133 };
const UNCOMPRESSED = 0x04;
/** Below is within reach of an attacker (NIST SP 800-131A); above, a verification is a way to keep us busy. */
const RSA_BITS = { min: 2048, max: 8192 } as const;

/** Parses exactly one SPKI PEM block, as `openssl pkey -pubout` and cosign write it. @throws ReleaseError KEY_REFUSED */
export function parseReleaseKey(pem: Uint8Array, validFor?: ReleaseKey['validFor']): ReleaseKey {
  let spki: Uint8Array;
  try {
    const body = PEM.exec(decodeUtf8(pem))?.[1];
    if (body === undefined) throw new Error('expected one PEM block "BEGIN PUBLIC KEY"');
    spki = parseBase64(body.replace(/[\r\n]/g, ''));
  } catch (cause) {
    throw refused(`it is not a public key: ${messageOf(cause)}`, cause);
  }
  return releaseKeyFromSpki(spki, validFor);
}

/** As {@link parseReleaseKey}, from DER. @throws ReleaseError KEY_REFUSED */
export function releaseKeyFromSpki(spki: Uint8Array, validFor?: ReleaseKey['validFor']): ReleaseKey {
  const handle = keyObject(spki);
  assertStrong(handle, spki);
  // A second encoding of one key would be a second keyid, and one key would count twice.
  if (!handle.export({ format: 'der', type: 'spki' }).equals(spki)) throw refused('it is not in plain DER');
  const { start = Number.NEGATIVE_INFINITY, end = Number.POSITIVE_INFINITY } = validFor ?? {};
  if (!(start <= end)) throw refused('its validity is no span of time');
  return { keyid: encodeHex(sha256(spki)), handle, spki, ...(validFor === undefined ? {} : { validFor }) };
}

function keyObject(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw refused('its content is not a SubjectPublicKeyInfo', cause);
  }
}

function assertStrong({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject, spki: Uint8Array): void {
  switch (asymmetricKeyType) {
    case 'ed25519':
      try {
        publicKeyFromSpki(spki);
      } catch (cause) {
        throw refused(messageOf(cause), cause);
      }
      return;
    case 'ec': {
      const curve = asymmetricKeyDetails?.namedCurve ?? 'unnamed';
      if (!Object.hasOwn(POINT_BYTES, curve))
        throw refused(`the curve ${curve} is not supported; P-256, P-384 and P-521 are`);
      // The point is the last of an SPKI. Compressed, one key would have a second keyid.
      if (spki.at(-(POINT_BYTES[curve] ?? 0)) !== UNCOMPRESSED)
        throw refused('its point is compressed; write it with its point in full');
      return;
    }
    case 'rsa': {
      const bits = asymmetricKeyDetails?.modulusLength ?? 0;
      if (bits < RSA_BITS.min || bits > RSA_BITS.max) throw refused(`RSA of ${bits} bits is not accepted`);
      // With 1 every message is its own signature; an even one is no RSA key.
      const exponent = asymmetricKeyDetails?.publicExponent ?? 0n;
      if (exponent < 3n || exponent % 2n === 0n || exponent >= 1n << 64n)
        throw refused('its RSA exponent is even, 1 or very long');
      return;
    }
    default:
      throw refused(`keys of type ${asymmetricKeyType} are not supported`);
  }
}

function refused(problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('KEY_REFUSED', `the key is refused: ${problem}`, { cause });
}
