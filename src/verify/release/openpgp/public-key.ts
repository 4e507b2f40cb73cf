import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { concatBytes, encodeHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { ed25519Spki } from '../../../core/ed25519.ts';
import { messageOf } from '../../../core/errors.ts';
import { type KeyId, type PublicKey, publicKeyFromSpki } from '../../../core/keys.ts';
import { ReleaseError } from '../errors.ts';
import { rsaProblem } from '../rsa-numbers.ts';
import { malformedAs } from '../text.ts';
import { WireReader } from '../wire.ts';
import { ALGORITHM, ALGORITHM_NAMES, CURVES, ED25519_OID, RSA_BITS } from './format.ts';

/** What solves the equation of a signature. */
export type PgpMaterial =
  | { readonly kind: 'rsa' | 'ecdsa'; readonly handle: KeyObject; readonly bytes: number }
  | { readonly kind: 'ed25519'; readonly key: PublicKey; readonly bytes: 32 };

/** A primary key or a subkey, version 4 (section 5.5.2), as a keyring has it. */
export type KeyPacket = {
  /** 40 digits of lower-case hex. */
  readonly fingerprint: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly algorithm: number;
  readonly body: Uint8Array;
};

/** A key whose numbers were read and are strong. */
export type PgpKey = Omit<KeyPacket, 'body'> & {
  readonly keyid: KeyId;
  readonly words: string;
  readonly material: PgpMaterial;
};

const VERSION = 4;
const bad = malformedAs('PGP_KEYRING_MALFORMED', 'not an OpenPGP key');

/** @returns undefined for a key of another version, whose fingerprint is another too @throws ReleaseError PGP_KEYRING_MALFORMED */
export function parseKeyPacket(body: Uint8Array): KeyPacket | undefined {
  if (body[0] !== VERSION) return undefined;
  const reader = new WireReader(body.subarray(1), bad);
  const [created, algorithm] = [reader.uint32(), reader.byte()];
  return { fingerprint: fingerprintOf(body), created, algorithm, body };
}

/**
 * Reads the numbers of a key, which takes its time: of a keyring, only those of keys that signed something.
 * @throws ReleaseError PGP_KEYRING_MALFORMED, PGP_KEY_WEAK, PGP_ALGORITHM
 */
export function readPgpKey({ body, ...known }: KeyPacket): PgpKey {
  // Version, time and algorithm stand before them.
  const reader = new WireReader(body.subarray(6), bad);
  const { material, words } = readMaterial(known.algorithm, reader);
  reader.end();
  return { ...known, material, words, keyid: keyidOf(material) };
}

/** Section 5.5.4.2. A name and no more: it binds nothing, the keyring is trusted byte for byte. */
function fingerprintOf(body: Uint8Array): string {
  const length = Uint8Array.of(0x99, body.length >> 8, body.length & 0xff);
  return encodeHex(createHash('sha1').update(length).update(body).digest());
}

function readMaterial(
  algorithm: number,
  reader: WireReader,
): { readonly material: PgpMaterial; readonly words: string } {
  switch (algorithm) {
    case ALGORITHM.rsa:
      return readRsa(reader);
    case ALGORITHM.ecdsa:
      return readEcdsa(reader);
    case ALGORITHM.eddsaLegacy: {
      const oid = encodeHex(reader.take(reader.byte()));
      if (oid !== ED25519_OID) throw unsupported('EdDSA on another curve than Ed25519');
      const point = reader.multiprecision();
      // 0x40 marks a point that is not in X9.62 form (section 11.2).
      if (point.length !== 33 || point[0] !== 0x40) throw bad('its point is not one of Ed25519');
      return ed25519(point.subarray(1));
    }
    case ALGORITHM.ed25519:
      return ed25519(reader.take(32));
    default:
      throw unsupported(ALGORITHM_NAMES[algorithm] ?? `the algorithm ${algorithm}`);
  }
}

function readRsa(reader: WireReader): { readonly material: PgpMaterial; readonly words: string } {
  const [n, e] = [reader.multiprecision(), reader.multiprecision()];
  const problem = rsaProblem(n, e, RSA_BITS);
  if (problem !== undefined) throw new ReleaseError('PGP_KEY_WEAK', problem);
  const handle = keyFromJwk({ kty: 'RSA', n: base64url(n), e: base64url(e) });
  const bits = handle.asymmetricKeyDetails?.modulusLength ?? 0;
  return { material: { kind: 'rsa', handle, bytes: n.length }, words: `RSA of ${bits} bits` };
}

function readEcdsa(reader: WireReader): { readonly material: PgpMaterial; readonly words: string } {
  const curve = CURVES[encodeHex(reader.take(reader.byte()))];
  if (curve === undefined) throw unsupported('ECDSA on another curve than P-256, P-384 and P-521');
  const point = reader.multiprecision();
  if (point.length !== 1 + 2 * curve.bytes || point[0] !== 0x04) throw bad('its point is not uncompressed');
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)].map(base64url);
  const handle = keyFromJwk({ kty: 'EC', crv: curve.jwk, x, y });
  return { material: { kind: 'ecdsa', handle, bytes: curve.bytes }, words: `ECDSA on ${curve.jwk}` };
}

function ed25519(raw: Uint8Array): { readonly material: PgpMaterial; readonly words: string } {
  try {
    return { material: { kind: 'ed25519', key: publicKeyFromSpki(ed25519Spki(raw)), bytes: 32 }, words: 'Ed25519' };
  } catch (cause) {
    throw new ReleaseError('PGP_KEY_WEAK', messageOf(cause), { cause });
  }
}

function keyFromJwk(key: { readonly [name: string]: string | undefined }): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch (cause) {
    throw bad('its point is not on its curve, or its numbers are not a key', cause);
  }
}

function keyidOf(material: PgpMaterial): KeyId {
  if (material.kind === 'ed25519') return material.key.keyid;
  return encodeHex(sha256(concatBytes(material.handle.export({ format: 'der', type: 'spki' }))));
}

function unsupported(what: string): ReleaseError {
  const message = `a key of ${what}; RSA, Ed25519 and ECDSA on P-256, P-384 and P-521 are accepted`;
  return new ReleaseError('PGP_ALGORITHM', message);
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
