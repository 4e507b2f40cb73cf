import type { KeyObject } from 'node:crypto';
import type { Bundle } from '@sigstore/bundle';
import type { SignedEntity } from '@sigstore/verify';
import { equalBytes, parseHex } from '../../../core/bytes.ts';
import { sha256 } from '../../../core/digest.ts';
import { preAuthEncoding } from '../../../core/dsse.ts';
import { type SignedHash, verifyDigest, verifyMessage } from '../key-signature.ts';
import type { Artifact } from '../method.ts';

type SignatureContent = SignedEntity['signature'];
type MessageSignature = Extract<Bundle['content'], { $case: 'messageSignature' }>['messageSignature'];
type DsseEnvelope = Extract<Bundle['content'], { $case: 'dsseEnvelope' }>['dsseEnvelope'];

/** HashAlgorithm of protobuf-specs by number; the reader lets no other through. */
const HASHES: Readonly<Record<number, SignedHash>> = { 1: 'sha256', 2: 'sha384', 3: 'sha512' };

/** What the bundle says was signed: the digest, under its algorithm. */
export function signedDigest({ messageDigest }: MessageSignature): { hash: SignedHash; digest: Uint8Array } {
  return { hash: HASHES[messageDigest.algorithm] ?? 'sha256', digest: messageDigest.digest };
}

/**
 * What the library verifies in place of its own: it would need the whole artifact in memory, hands Ed25519 a hash name and
 * so refuses it, and hashes for every curve with SHA-256.
 */
export function signatureContent(content: Bundle['content'], artifact: Artifact): SignatureContent {
  return content.$case === 'messageSignature'
    ? messageContent(content.messageSignature, artifact)
    : envelopeContent(content.dsseEnvelope);
}

function messageContent(message: MessageSignature, artifact: Artifact): SignatureContent {
  const { hash, digest } = signedDigest(message);
  const { signature } = message;
  const isDigest = (other: Uint8Array): boolean => equalBytes(other, digest);
  return {
    signature,
    compareSignature: (other) => equalBytes(other, signature),
    compareDigest: isDigest,
    compareSignedDigest: isDigest,
    verifySignature: (key: KeyObject) =>
      key.asymmetricKeyType === 'ed25519'
        ? artifact.bytes !== undefined && verifyMessage(key, artifact.bytes, signature)
        : verifyDigest(key, hash, digest, signature),
  };
}

function envelopeContent({ payload, payloadType, signatures }: DsseEnvelope): SignatureContent {
  const signature = signatures[0]?.sig ?? Buffer.alloc(0);
  const encoded = preAuthEncoding(payloadType, payload);
  return {
    signature,
    compareSignature: (other) => equalBytes(other, signature),
    compareDigest: (other) => equalBytes(other, sha256(payload)),
    compareSignedDigest: (other) => equalBytes(other, sha256(encoded)),
    verifySignature: (key: KeyObject) => verifyMessage(key, encoded, signature),
  };
}

/** The artifact's digest under a hash, if it was computed. */
export function artifactDigest({ digests }: Artifact, hash: SignedHash): Uint8Array | undefined {
  const hex = digests[hash];
  return hex === undefined ? undefined : parseHex(hex);
}
