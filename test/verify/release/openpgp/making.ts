import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as nodeSign,
  privateEncrypt,
} from 'node:crypto';
import { concatBytes, parseHex, utf8 } from '../../../../src/core/bytes.ts';
import { testKey } from '../../../support/keys.ts';

/** OpenPGP made by hand: what gpg refuses to make is what has to be refused. RFC 9580. */

export type Made = {
  readonly algorithm: number;
  readonly created: number;
  readonly handle: KeyObject;
  /** A public key packet's body. */
  readonly body: Uint8Array;
  readonly fingerprint: string;
};

export const T0 = Date.UTC(2026, 0, 1) / 1000;
export const DAY = 86_400;

const u16 = (n: number) => Uint8Array.of(n >> 8, n & 0xff);
export const u32 = (n: number) => concatBytes(u16(n >>> 16), u16(n & 0xffff));

export function mpi(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const value = first === -1 ? new Uint8Array() : bytes.subarray(first);
  const bits = value.length === 0 ? 0 : value.length * 8 - Math.clz32(value[0] ?? 0) + 24;
  return concatBytes(u16(bits), value);
}

/** New form, five bytes of length. */
export function packet(tag: number, body: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0xc0 | tag, 0xff), u32(body.length), body);
}

const point = (handle: KeyObject) => Buffer.from(handle.export({ format: 'jwk' }).x ?? '', 'base64url');

function made(algorithm: number, handle: KeyObject, material: Uint8Array, created: number): Made {
  const body = concatBytes(Uint8Array.of(4), u32(created), Uint8Array.of(algorithm), material);
  const fingerprint = createHash('sha1')
    .update(concatBytes(Uint8Array.of(0x99), u16(body.length), body))
    .digest('hex');
  return { algorithm, created, handle, body, fingerprint };
}

const ED25519_LEGACY = parseHex('092b06010401da470f01');

/** The same name gives the same key. @param algorithm 22, or 27 for the newer form */
export function ed25519(name: string, created = T0, algorithm = 22): Made {
  const { handle } = testKey(`openpgp ${name}`);
  const raw = new Uint8Array(point(createPublicKey(handle)));
  const legacy = concatBytes(ED25519_LEGACY, mpi(concatBytes(Uint8Array.of(0x40), raw)));
  return made(algorithm, handle, algorithm === 27 ? raw : legacy, created);
}

export function rsa(bits: number, created = T0): Made {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const { n = '', e = '' } = privateKey.export({ format: 'jwk' });
  const material = concatBytes(mpi(Buffer.from(n, 'base64url')), mpi(Buffer.from(e, 'base64url')));
  return made(1, privateKey, material, created);
}

const P256 = parseHex('082a8648ce3d030107');

export function p256(created = T0): Made {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = privateKey.export({ format: 'jwk' });
  const q = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  return made(19, privateKey, concatBytes(P256, mpi(q)), created);
}

export function subpacket(type: number, body: Uint8Array, isCritical = false): Uint8Array {
  return concatBytes(Uint8Array.of(body.length + 1, type | (isCritical ? 0x80 : 0)), body);
}

export const say = {
  created: (at: number) => subpacket(2, u32(at)),
  expires: (after: number) => subpacket(3, u32(after)),
  keyLifetime: (after: number) => subpacket(9, u32(after)),
  flags: (flags: number) => subpacket(27, Uint8Array.of(flags)),
  issuer: ({ fingerprint }: Made) => subpacket(33, concatBytes(Uint8Array.of(4), parseHex(fingerprint))),
  keyId: ({ fingerprint }: Made) => subpacket(16, parseHex(fingerprint).slice(-8)),
  embedded: (body: Uint8Array) => concatBytes(Uint8Array.of(255), u32(body.length + 1), Uint8Array.of(32), body),
};

const HASHES: Readonly<Record<number, string>> = {
  1: 'md5',
  2: 'sha1',
  3: 'ripemd160',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
};

export type Parts = {
  readonly type?: number;
  readonly hash?: number;
  readonly version?: number;
  readonly at?: number;
  /** Instead of creation time and issuer. */
  readonly hashed?: readonly Uint8Array[];
  readonly unhashed?: readonly Uint8Array[];
  /** After creation time and issuer. */
  readonly more?: readonly Uint8Array[];
};

/** A signature packet's body over `data`. */
export function signature(by: Made, data: Uint8Array, parts: Parts = {}): Uint8Array {
  const { type = 0, hash = 10, version = 4, at = T0 + DAY, more = [], unhashed = [say.keyId(by)] } = parts;
  const hashed = concatBytes(...(parts.hashed ?? [say.issuer(by), say.created(at)]), ...more);
  const signed = concatBytes(Uint8Array.of(version, type, by.algorithm, hash), u16(hashed.length), hashed);
  const digest = createHash(HASHES[hash] ?? 'sha512')
    .update(data)
    .update(signed)
    .update(concatBytes(Uint8Array.of(version, 0xff), u32(signed.length)))
    .digest();
  const loose = concatBytes(...unhashed);
  return concatBytes(signed, u16(loose.length), loose, digest.subarray(0, 2), equation(by, digest, hash));
}

const DIGEST_INFO: Readonly<Record<number, string>> = {
  8: '3031300d060960864801650304020105000420',
  10: '3051300d060960864801650304020305000440',
};

function equation({ algorithm, handle }: Made, digest: Uint8Array, hash: number): Uint8Array {
  switch (algorithm) {
    case 1: {
      const padded = concatBytes(parseHex(DIGEST_INFO[hash] ?? ''), digest);
      return mpi(privateEncrypt({ key: handle, padding: constants.RSA_PKCS1_PADDING }, padded));
    }
    case 19: {
      // node hashes what it signs, so the digest can't be given: only the data of an outer hash could.
      throw new Error('ECDSA over a digest is made by gpg in tests');
    }
    default: {
      const raw = new Uint8Array(nodeSign(null, digest, handle));
      return algorithm === 27 ? raw : concatBytes(mpi(raw.subarray(0, 32)), mpi(raw.subarray(32)));
    }
  }
}

const keyData = ({ body }: Made) => concatBytes(Uint8Array.of(0x99), u16(body.length), body);
const userData = (user: string) => concatBytes(Uint8Array.of(0xb4), u32(utf8(user).length), utf8(user));

export type CertificateParts = {
  readonly user?: string;
  readonly flags?: number;
  readonly self?: Parts;
  /** Instead of the self-signature. */
  readonly selfSignatures?: readonly Uint8Array[];
  /** Right behind the primary key. */
  readonly direct?: readonly Uint8Array[];
  readonly tail?: readonly Uint8Array[];
};

/** The signature of an owner over his name. */
export function selfSignature(primary: Made, user: string, flags: number | undefined, parts: Parts = {}): Uint8Array {
  const more = [...(flags === undefined ? [] : [say.flags(flags)]), ...(parts.more ?? [])];
  return signature(primary, concatBytes(keyData(primary), userData(user)), { type: 0x13, at: T0, ...parts, more });
}

export const USER = 'Publisher <dev@example.org>';

/** What `gpg --export` writes. */
export function certificate(primary: Made, parts: CertificateParts = {}): Uint8Array {
  const { user = USER, flags = 0x03, direct = [], tail = [], self = {} } = parts;
  const selfs = parts.selfSignatures ?? [selfSignature(primary, user, flags, self)];
  return concatBytes(
    packet(6, primary.body),
    ...direct.map((body) => packet(2, body)),
    packet(13, utf8(user)),
    ...selfs.map((body) => packet(2, body)),
    ...tail,
  );
}

export type SubkeyParts = {
  readonly flags?: number;
  readonly binding?: Parts;
  readonly back?: Parts;
  /** Instead of the back signature; null for none. */
  readonly embedded?: Uint8Array | null;
  readonly backBy?: Made;
  readonly revoked?: boolean;
};

/** A subkey and its binding, to stand at the end of a certificate. */
export function subkey(primary: Made, sub: Made, parts: SubkeyParts = {}): Uint8Array {
  const { flags = 0x02, binding = {}, back = {}, embedded, backBy = sub, revoked = false } = parts;
  const data = concatBytes(keyData(primary), keyData(sub));
  const own = embedded ?? signature(backBy, data, { type: 0x19, at: T0, unhashed: [], ...back });
  const more = [say.flags(flags), ...(embedded === null ? [] : [say.embedded(own)]), ...(binding.more ?? [])];
  const bound = signature(primary, data, { type: 0x18, at: T0, ...binding, more });
  const revocation = revoked ? [packet(2, signature(primary, data, { type: 0x28 }))] : [];
  return concatBytes(packet(14, sub.body), packet(2, bound), ...revocation);
}

/** A revocation of the primary key. */
export function revocation(primary: Made, parts: Parts = {}): Uint8Array {
  return signature(primary, keyData(primary), { type: 0x20, ...parts });
}

export function armor(label: string, bytes: Uint8Array, headers: readonly string[] = []): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...headers, '', ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** `gpg --clearsign`. @param text without dashes at the start of a line */
export function clearsigned(by: Made, text: string, parts: Parts = {}, header = 'Hash: SHA512'): string {
  const lines = text.replace(/\n$/, '').split('\n');
  const body = signature(by, utf8(lines.map((line) => line.replace(/[ \t]+$/, '')).join('\r\n')), {
    type: 1,
    ...parts,
  });
  const escaped = lines.map((line) => (line.startsWith('-') ? `- ${line}` : line));
  const head = `-----BEGIN PGP SIGNED MESSAGE-----\n${header}\n\n${escaped.join('\n')}\n`;
  return head + armor('PGP SIGNATURE', packet(2, body));
}
