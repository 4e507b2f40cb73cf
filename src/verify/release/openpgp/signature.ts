import { concatBytes, encodeHex } from '../../../core/bytes.ts';
import { ReleaseError } from '../errors.ts';
import type { SignedHash } from '../key-signature.ts';
import { malformedAs } from '../text.ts';
import { WireReader } from '../wire.ts';
import { ALGORITHM, HASH_NAMES, HASHES, SUBPACKET } from './format.ts';
import { type Subpacket, Subpackets } from './subpackets.ts';

/** A signature packet of version 4 (section 5.2.3), over data or over a key; nothing of it is verified. */
export type PgpSignature = {
  readonly type: number;
  readonly algorithm: number;
  /** As its number; see {@link strongHash}. */
  readonly hash: number;
  /** Seconds since 1970, as the signer says. */
  readonly created: number;
  /** The moment from which it counts no longer, in seconds since 1970. */
  readonly expires?: number;
  /** Of a signature over a key: how long that key counts from its creation, in seconds. */
  readonly keyLifetime?: number;
  readonly keyFlags?: number;
  /** The key that made it: all of its fingerprint, or else only the last eight bytes, in lower-case hex. */
  readonly issuer: { readonly fingerprint?: string; readonly keyId?: string };
  /** The back signature of a signing subkey, a packet's body. */
  readonly embedded?: Uint8Array;
  readonly hashed: readonly Subpacket[];
  readonly unhashed: readonly Subpacket[];
  /** Hashed behind what is signed (section 5.2.4). */
  readonly trailer: Uint8Array;
  /** The first two bytes of the digest. */
  readonly digestStart: Uint8Array;
  /** What solves the equation of the algorithm. */
  readonly values: Uint8Array;
};

const VERSION = 4;
const bad = malformedAs('PGP_MALFORMED', 'not an OpenPGP signature');

/** @param body of a signature packet @throws ReleaseError PGP_VERSION, PGP_MALFORMED */
export function parsePgpSignature(body: Uint8Array): PgpSignature {
  const version = body[0];
  if (version !== VERSION) {
    throw new ReleaseError('PGP_VERSION', `an OpenPGP signature of version ${version ?? 'none'}; only 4 is read here`);
  }
  const reader = new WireReader(body, bad);
  reader.byte();
  const [type, algorithm, hash] = [reader.byte(), reader.byte(), reader.byte()];
  const hashed = reader.take(reader.uint16());
  const signed = body.slice(0, 6 + hashed.length);
  const unhashed = reader.take(reader.uint16());
  const parts = new Subpackets(hashed, unhashed, bad);
  const created = parts.number(SUBPACKET.created);
  if (created === undefined) throw bad('it does not say when it was made');
  const lasts = parts.number(SUBPACKET.expires) ?? 0;
  const keyLifetime = parts.number(SUBPACKET.keyExpires) ?? 0;
  const keyFlags = parts.signed(SUBPACKET.keyFlags)?.[0];
  const embedded = parts.either(SUBPACKET.embeddedSignature);
  return {
    type,
    algorithm,
    hash,
    created,
    ...(lasts === 0 ? {} : { expires: created + lasts }),
    ...(keyLifetime === 0 ? {} : { keyLifetime }),
    ...(keyFlags === undefined ? {} : { keyFlags }),
    ...(embedded === undefined ? {} : { embedded }),
    issuer: issuerOf(parts),
    hashed: parts.hashed,
    unhashed: parts.unhashed,
    trailer: concatBytes(signed, Uint8Array.of(VERSION, 0xff), uint32(signed.length)),
    digestStart: reader.take(2),
    values: reader.rest(),
  };
}

function issuerOf(parts: Subpackets): PgpSignature['issuer'] {
  const [named, id] = [parts.either(SUBPACKET.issuerFingerprint), parts.either(SUBPACKET.issuer)];
  if (id !== undefined && id.length !== 8) throw bad('its key id is not 8 bytes long');
  const keyId = id === undefined ? undefined : encodeHex(id);
  if (named === undefined) return keyId === undefined ? {} : { keyId };
  if (named[0] !== 4 || named.length !== 21) throw bad('the fingerprint of its key is not one of version 4');
  const fingerprint = encodeHex(named.subarray(1));
  if (keyId !== undefined && !fingerprint.endsWith(keyId)) throw bad('its key id is not that of its fingerprint');
  return { fingerprint, keyId: fingerprint.slice(-16) };
}

/** @throws ReleaseError PGP_HASH for a hash under which two texts can be made to one signature, or that is unknown */
export function strongHash({ hash }: PgpSignature): SignedHash {
  const name = HASHES[hash];
  if (name !== undefined) return name;
  const called = HASH_NAMES[hash] ?? `number ${hash}`;
  throw new ReleaseError('PGP_HASH', `made over the hash ${called}; SHA-256, SHA-384 and SHA-512 are accepted`);
}

/** @throws ReleaseError PGP_CRITICAL for something the signer said must not be ignored, and that is not known here */
export function assertUnderstood({ hashed }: PgpSignature, known: readonly number[]): void {
  const odd = hashed.find(({ type, isCritical }) => isCritical && !known.includes(type));
  if (odd === undefined) return;
  throw new ReleaseError('PGP_CRITICAL', `it has a critical subpacket of type ${odd.type}, which is not known here`);
}

/**
 * The numbers of the equation, each as long as asked for.
 * @throws ReleaseError PGP_MALFORMED
 */
export function signatureValues({ algorithm, values }: PgpSignature, bytes: number): Uint8Array[] {
  const reader = new WireReader(values, bad);
  const count = algorithm === ALGORITHM.rsa ? 1 : 2;
  const found = Array.from({ length: count }, () =>
    algorithm === ALGORITHM.ed25519 ? reader.take(bytes) : readNumber(reader, bytes),
  );
  reader.end();
  return found;
}

function readNumber(reader: WireReader, bytes: number): Uint8Array {
  const number = reader.multiprecision();
  if (number.length > bytes) throw bad('a number in it is too long for its key');
  return concatBytes(new Uint8Array(bytes - number.length), number);
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return new Uint8Array(bytes);
}
