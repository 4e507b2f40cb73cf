import { createHash } from 'node:crypto';
import { encodeHex, parseHex } from '../../core/bytes.ts';
import { ReleaseError } from './errors.ts';
import type { Artifact } from './method.ts';

/** The hashes that somebody signs by. */
export type MessageHash = 'sha256' | 'sha384' | 'sha512' | 'blake2b512';

/** What a signature is over: the artifact, or a list of checksums that has a line for it. */
export type Message = Artifact & {
  readonly size: number;
  readonly digests: Artifact['digests'] & { readonly blake2b512?: string };
  /** The digest of all of it with these bytes after it, by a hash that was asked for. */
  readonly continued?: (hash: MessageHash, after: Uint8Array) => Uint8Array;
};

/**
 * Most that is taken into memory for a method that signs the file itself and not a hash of it (legacy minisign,
 * signify, plain Ed25519): pure Ed25519 hashes the message after its nonce (RFC 8032 section 5.1.7).
 */
export const MAX_WHOLE_BYTES = 256 * 1024 * 1024;

/** A message that is small and in memory already. */
export function messageOfBytes(name: string, bytes: Uint8Array): Message {
  const hash = (algorithm: MessageHash) => encodeHex(createHash(algorithm).update(bytes).digest());
  const names = ['sha256', 'sha384', 'sha512', 'blake2b512'] as const;
  const digests = { sha256: hash('sha256'), ...Object.fromEntries(names.map((name) => [name, hash(name)])) };
  const continued = (algorithm: MessageHash, after: Uint8Array) =>
    new Uint8Array(createHash(algorithm).update(bytes).update(after).digest());
  return { name, size: bytes.length, digests, bytes, continued };
}

/** The digest, which whoever read the message was asked to make. */
export function digestOf({ digests }: Message, name: MessageHash): Uint8Array {
  const digest = digests[name];
  if (digest === undefined) throw new Error(`${name} of the message was not computed`);
  return parseHex(digest);
}

/** The same with bytes after the message: OpenPGP hashes what it says of a signature behind what is signed. */
export function continuedDigest({ continued }: Message, name: MessageHash, after: Uint8Array): Uint8Array {
  if (continued === undefined) throw new Error(`${name} of the message can't be continued`);
  return continued(name, after);
}

/** @throws ReleaseError MESSAGE_TOO_LARGE */
export function wholeOf({ bytes, size }: Message, method: string): Uint8Array {
  if (bytes !== undefined) return bytes;
  const most = MAX_WHOLE_BYTES / 1024 / 1024;
  throw new ReleaseError(
    'MESSAGE_TOO_LARGE',
    `${method} signs the file itself, and its ${size} bytes are over the ${most} MiB that are checked that way; ` +
      'ask the publisher for a signature over a hash of it, or over a list of checksums',
  );
}
