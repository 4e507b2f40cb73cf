import type { SignedHash } from '../key-signature.ts';

/** OpenPGP's numbers (RFC 9580; GnuPG writes the same as of RFC 4880). What is not here is refused. */

/** Packet types, section 5. */
export const PACKET = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  marker: 10,
  trust: 12,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
  padding: 21,
} as const;

/** Signature types, section 5.2.1. */
export const SIGNATURE = {
  binary: 0x00,
  text: 0x01,
  certifications: [0x10, 0x11, 0x12, 0x13],
  subkeyBinding: 0x18,
  primaryKeyBinding: 0x19,
  directKey: 0x1f,
  keyRevocation: 0x20,
  subkeyRevocation: 0x28,
  certificationRevocation: 0x30,
} as const;

/** Signature subpackets, section 5.2.3.7. */
export const SUBPACKET = {
  created: 2,
  expires: 3,
  keyExpires: 9,
  issuer: 16,
  notation: 20,
  keyFlags: 27,
  embeddedSignature: 32,
  issuerFingerprint: 33,
} as const;

/** Key flags, section 5.2.3.29: this key may sign data. */
export const MAY_SIGN = 0x02;

/** Public-key algorithms, section 9.1. */
export const ALGORITHM = { rsa: 1, ecdsa: 19, eddsaLegacy: 22, ed25519: 27 } as const;

/** For sentences about those that are refused. */
export const ALGORITHM_NAMES: Readonly<Record<number, string>> = {
  2: 'RSA for encryption only',
  3: 'RSA for signing only, long deprecated',
  16: 'Elgamal',
  17: 'DSA',
  18: 'ECDH',
  25: 'X25519',
  26: 'X448',
  28: 'Ed448',
};

/** Hashes, section 9.5, that count. */
export const HASHES: Readonly<Record<number, SignedHash>> = { 8: 'sha256', 9: 'sha384', 10: 'sha512' };
export const HASH_NAMES: Readonly<Record<number, string>> = {
  1: 'MD5',
  2: 'SHA-1',
  3: 'RIPEMD-160',
  11: 'SHA-224',
  12: 'SHA3-256',
  14: 'SHA3-512',
};
/** As the header `Hash` of a cleartext signature calls them, section 7. */
export const HASH_HEADERS: Readonly<Record<string, SignedHash>> = {
  SHA256: 'sha256',
  SHA384: 'sha384',
  SHA512: 'sha512',
};

/** Object identifiers of curves, section 9.2, after their length. */
export const CURVES: Readonly<Record<string, { readonly jwk: string; readonly bytes: number }>> = {
  '2a8648ce3d030107': { jwk: 'P-256', bytes: 32 },
  '2b81040022': { jwk: 'P-384', bytes: 48 },
  '2b81040023': { jwk: 'P-521', bytes: 66 },
};
/** Ed25519 in keys of the algorithm EdDSALegacy. */
export const ED25519_OID = '2b06010401da470f01';

export const RSA_BITS = { min: 2048, max: 16384 } as const;

export const SIGNATURE_ARMOR = 'PGP SIGNATURE';
export const KEY_ARMOR = 'PGP PUBLIC KEY BLOCK';
export const CLEARTEXT_BEGIN = '-----BEGIN PGP SIGNED MESSAGE-----';

/** Most signatures in one file, and most keys in a keyring. */
export const MAX_SIGNATURES = 64;
export const MAX_CERTIFICATES = 4096;
export const MAX_KEYRING_BYTES = 16 * 1024 * 1024;
