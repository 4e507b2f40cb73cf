import { createHash } from 'node:crypto';
import { encodeHex } from '../../../core/bytes.ts';
import { malformedAs } from '../text.ts';
import { WireReader } from '../wire.ts';
import type { SshCertificate, SshSigner } from './certificate.ts';
import { KRL_CERTIFICATES, KRL_MAGIC, KRL_SECTION, KRL_VERSION } from './format.ts';

/** Certificates that count no more: of one authority, or of any. */
type RevokedCertificates = {
  /** Wire form in hex; undefined is any authority. */
  readonly authority: string | undefined;
  readonly ids: Set<string>;
  /** Both ends included. */
  readonly ranges: (readonly [bigint, bigint])[];
  readonly bitmaps: { readonly first: bigint; readonly bits: Uint8Array }[];
};

/** What a list has, in hex. */
type Krl = {
  readonly keys: Set<string>;
  readonly sha1: Set<string>;
  readonly sha256: Set<string>;
  readonly certificates: RevokedCertificates[];
};

const bad = malformedAs('SSH_REVOKED_MALFORMED', 'not a list of revoked SSH keys');

export function isKrl(bytes: Uint8Array): boolean {
  return KRL_MAGIC.every((byte, i) => bytes[i] === byte);
}

/**
 * Parses a key revocation list as `ssh-keygen -k` writes it (OpenSSH, PROTOCOL.krl). What isn't known refuses the list: it
 * may be what matters. Lists with a signature of their own, which ssh-keygen never made and OpenSSH reads no more, too.
 * @returns whether a key counts no more: by itself, by its certificate, or by who certified it
 * @throws ReleaseError SSH_REVOKED_MALFORMED
 */
export function parseKrl(bytes: Uint8Array): (key: SshSigner) => boolean {
  const reader = new WireReader(bytes, bad);
  reader.expect(KRL_MAGIC, 'it lacks the mark SSHKRL');
  if (reader.uint32() !== KRL_VERSION) throw bad('its format is not version 1');
  reader.take(3 * 8); // Its own version, when it was made, flags of which there are none.
  reader.string();
  reader.string(); // A comment.
  const krl: Krl = { keys: new Set(), sha1: new Set(), sha256: new Set(), certificates: [] };
  while (!reader.isAtEnd) readSection(krl, reader.byte(), new WireReader(reader.string(), bad));
  return (key) => isRevoked(krl, key);
}

function readSection(krl: Krl, type: number, section: WireReader): void {
  switch (type) {
    case KRL_SECTION.certificates:
      krl.certificates.push(readCertificates(section));
      break;
    case KRL_SECTION.key:
      addAll(krl.keys, section);
      break;
    case KRL_SECTION.sha1:
      addAll(krl.sha1, section, 20);
      break;
    case KRL_SECTION.sha256:
      addAll(krl.sha256, section, 32);
      break;
    case KRL_SECTION.extension:
      skipExtension(section);
      break;
    default:
      throw bad(`a part of it is of the type ${type}, which is not known`);
  }
}

function addAll(found: Set<string>, section: WireReader, length?: number): void {
  while (!section.isAtEnd) {
    const blob = section.string();
    if (length !== undefined && blob.length !== length) throw bad(`a hash in it has ${blob.length} bytes`);
    found.add(encodeHex(blob));
  }
}

/** Name, whether it is critical, content. */
function skipExtension(section: WireReader): void {
  section.string();
  const isCritical = section.byte() !== 0;
  section.string();
  section.end();
  if (isCritical) throw bad('it has a critical extension, and none is known');
}

function readCertificates(section: WireReader): RevokedCertificates {
  const authority = section.string();
  section.string(); // Reserved.
  const found: RevokedCertificates = {
    authority: authority.length === 0 ? undefined : encodeHex(authority),
    ids: new Set(),
    ranges: [],
    bitmaps: [],
  };
  while (!section.isAtEnd) readCertificatePart(found, section.byte(), new WireReader(section.string(), bad));
  return found;
}

function readCertificatePart({ ids, ranges, bitmaps }: RevokedCertificates, type: number, part: WireReader): void {
  switch (type) {
    case KRL_CERTIFICATES.serials:
      while (!part.isAtEnd) {
        const serial = part.uint64();
        ranges.push(rangeOf(serial, serial));
      }
      break;
    case KRL_CERTIFICATES.range:
      ranges.push(rangeOf(part.uint64(), part.uint64()));
      break;
    case KRL_CERTIFICATES.bitmap:
      bitmaps.push({ first: part.uint64(), bits: part.string() });
      break;
    case KRL_CERTIFICATES.ids:
      while (!part.isAtEnd) ids.add(part.text());
      break;
    case KRL_CERTIFICATES.extension:
      skipExtension(part);
      break;
    default:
      throw bad(`a part of it about certificates is of the type ${type}, which is not known`);
  }
  part.end();
}

function rangeOf(first: bigint, last: bigint): readonly [bigint, bigint] {
  if (first === 0n || first > last) throw bad(`it has the serial numbers ${first} to ${last}`);
  return [first, last];
}

function isRevoked(krl: Krl, { blob, certificate }: SshSigner): boolean {
  const keys = [blob, ...(certificate === undefined ? [] : [certificate.authority.blob])];
  if (keys.some((key) => isKeyRevoked(krl, key))) return true;
  return certificate !== undefined && krl.certificates.some((those) => isCertificateRevoked(those, certificate));
}

function isKeyRevoked({ keys, sha1, sha256 }: Krl, blob: Uint8Array): boolean {
  const hash = (name: string): string => createHash(name).update(blob).digest('hex');
  return keys.has(encodeHex(blob)) || sha1.has(hash('sha1')) || sha256.has(hash('sha256'));
}

function isCertificateRevoked(
  { authority, ids, ranges, bitmaps }: RevokedCertificates,
  { serial, id, authority: by }: SshCertificate,
): boolean {
  if (authority !== undefined && authority !== encodeHex(by.blob)) return false;
  if (ids.has(id)) return true;
  // As OpenSSH: 0 is what a certificate has whose authority numbers none.
  if (serial === 0n) return false;
  return (
    ranges.some(([first, last]) => first <= serial && serial <= last) ||
    bitmaps.some(({ first, bits }) => hasBit(bits, serial - first))
  );
}

/** In an mpint: the last bit of the last byte is the first. */
function hasBit(bits: Uint8Array, at: bigint): boolean {
  if (at < 0n || at >= BigInt(bits.length) * 8n) return false;
  const [byte, bit] = [bits.length - 1 - Number(at >> 3n), Number(at & 7n)];
  return (((bits[byte] ?? 0) >> bit) & 1) === 1;
}
