import { malformedAs, readText } from '../text.ts';
import { decodeArmor } from './armor.ts';
import { KEY_ARMOR, MAX_CERTIFICATES, MAX_KEYRING_BYTES, PACKET, SIGNATURE } from './format.ts';
import { type Packet, splitPackets } from './packets.ts';
import { type KeyPacket, parseKeyPacket } from './public-key.ts';

/** A signature over a key, unparsed: most of a keyring is other people's, in whatever form. */
export type KeySignature = Packet & {
  /** -1 where it can't be told. */
  readonly type: number;
};

export type UserId = { readonly packet: Packet; readonly text: string; readonly signatures: KeySignature[] };

export type Subkey = {
  readonly packet: Packet;
  readonly key: KeyPacket;
  readonly signatures: KeySignature[];
};

/** A primary key with its user ids and subkeys, as a keyring has it; nothing of it is verified. */
export type Certificate = {
  readonly packet: Packet;
  readonly key: KeyPacket;
  /** Directly over the key. */
  readonly signatures: KeySignature[];
  readonly users: UserId[];
  readonly subkeys: Subkey[];
};

export type Keyring = {
  /** By the fingerprint of the primary key. */
  readonly certificates: ReadonlyMap<string, Certificate>;
};

const ARMORED = '-----BEGIN ';
/** The header of GnuPG's own database of keys. */
const KEYBOX = 'KBXf';
const bad = malformedAs('PGP_KEYRING_MALFORMED', 'not an OpenPGP keyring');

/**
 * Reads public keys, as `gpg --export` writes them, with `--armor` or without; several one after the other are one
 * keyring. The file is whole and well-formed or it is refused; keys in it of an unknown version are left out.
 * @throws ReleaseError PGP_KEYRING_MALFORMED, MATERIAL_TOO_LARGE
 */
export function parseKeyring(bytes: Uint8Array): Keyring {
  const certificates = new Map<string, Certificate>();
  for (const block of blocksOf(bytes)) {
    for (const packets of certificatesIn(splitPackets(block, bad))) {
      const certificate = readCertificate(packets);
      if (certificate === undefined) continue;
      const { fingerprint } = certificate.key;
      const known = certificates.get(fingerprint);
      // Twice the same key: a revocation in one copy must count for the other.
      certificates.set(fingerprint, known === undefined ? certificate : merged(known, certificate));
    }
  }
  if (certificates.size === 0) throw bad('it holds no key of version 4');
  if (certificates.size > MAX_CERTIFICATES) throw bad(`it holds over ${MAX_CERTIFICATES} keys`);
  return { certificates };
}

function blocksOf(bytes: Uint8Array): Uint8Array[] {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  if (head.slice(8) === KEYBOX) throw bad("it is GnuPG's database; write the keys out with gpg --export");
  if (head.startsWith(ARMORED)) return decodeArmor(readText(bytes, MAX_KEYRING_BYTES, bad).split('\n'), KEY_ARMOR, bad);
  if (bytes.length > MAX_KEYRING_BYTES) throw bad(`its ${bytes.length} bytes are over ${MAX_KEYRING_BYTES}`);
  return [bytes];
}

/** Each begins with a primary key. */
function certificatesIn(packets: readonly Packet[]): Packet[][] {
  const found: Packet[][] = [];
  for (const packet of packets) {
    if (packet.tag === PACKET.secretKey || packet.tag === PACKET.secretSubkey) {
      throw bad('it holds a private key; write only public ones out with gpg --export');
    }
    if (packet.tag === PACKET.publicKey) found.push([packet]);
    else if (found.length > 0) found.at(-1)?.push(packet);
    else throw bad('it does not start with a key');
  }
  return found;
}

function readCertificate([first, ...rest]: readonly Packet[]): Certificate | undefined {
  const key = first === undefined ? undefined : parseKeyPacket(first.body);
  if (first === undefined || key === undefined) return undefined;
  const certificate: Certificate = { packet: first, key, signatures: [], users: [], subkeys: [] };
  let { signatures } = certificate;
  for (const packet of rest) {
    switch (packet.tag) {
      case PACKET.signature:
        place(certificate, signatures, { ...packet, type: signatureType(packet.body) });
        break;
      case PACKET.userId: {
        const user = { packet, text: Buffer.from(packet.body).toString('utf8'), signatures: [] };
        certificate.users.push(user);
        signatures = user.signatures;
        break;
      }
      case PACKET.publicSubkey: {
        const subkey = parseKeyPacket(packet.body);
        signatures = [];
        if (subkey !== undefined) certificate.subkeys.push({ packet, key: subkey, signatures });
        break;
      }
      case PACKET.userAttribute:
        // Pictures: what is signed over them says nothing here.
        signatures = [];
        break;
      case PACKET.trust:
      case PACKET.marker:
      case PACKET.padding:
        break;
      default:
        throw bad(`it holds a packet of type ${packet.tag}, which belongs in no keyring`);
    }
  }
  return certificate;
}

/** In version 3 it stands one byte later (section 5.2.2). */
function signatureType(body: Uint8Array): number {
  const [version = 0] = body;
  return (version === 3 ? body[2] : version >= 4 ? body[1] : undefined) ?? -1;
}

function merged(one: Certificate, other: Certificate): Certificate {
  return {
    ...one,
    signatures: [...one.signatures, ...other.signatures],
    users: [...one.users, ...other.users],
    subkeys: [...one.subkeys, ...other.subkeys],
  };
}

/** A revocation of the whole key is one wherever it stands. */
function place(certificate: Certificate, signatures: KeySignature[], signature: KeySignature): void {
  const target = signature.type === SIGNATURE.keyRevocation ? certificate.signatures : signatures;
  target.push(signature);
}

/** A key that may have made a signature, and the certificate it stands in. */
export type Candidate = { readonly certificate: Certificate; readonly key: KeyPacket };

/** The keys that an issuer means. A key id is 64 bits of a SHA-1: two keys can have the same one. */
export function findKeys({ certificates }: Keyring, issuer: { fingerprint?: string; keyId?: string }): Candidate[] {
  const isMeant = ({ fingerprint }: KeyPacket) =>
    issuer.fingerprint === undefined
      ? issuer.keyId !== undefined && fingerprint.endsWith(issuer.keyId)
      : fingerprint === issuer.fingerprint;
  return [...certificates.values()].flatMap((certificate) => {
    const keys = [certificate.key, ...certificate.subkeys.map(({ key }) => key)].filter(isMeant);
    return [...new Map(keys.map((key) => [key.fingerprint, key])).values()].map((key) => ({ certificate, key }));
  });
}
