import { createHash } from 'node:crypto';
import { blake3 as nobleBlake3 } from '@noble/hashes/blake3.js';
import { encodeHex, parseHex } from './bytes.ts';
import { CoreError } from './errors.ts';

export type HashName = 'sha256' | 'blake3';
/** `sha256:<64 hex>` or `blake3:<64 hex>`. */
export type Digest = `${HashName}:${string}`;
/** 32 bytes from bytes; pure. */
export type HashFunction = (bytes: Uint8Array) => Uint8Array;

/** SHA-256 by node:crypto (FIPS 180-4). */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest());
}

/** BLAKE3, 32 bytes, by @noble/hashes: the reference. Hot paths take hash-wasm and are tested against this. */
export function blake3(bytes: Uint8Array): Uint8Array {
  return nobleBlake3(bytes);
}

export const HASHES: Readonly<Record<HashName, HashFunction>> = { sha256, blake3 };

export function formatDigest(name: HashName, hash: Uint8Array): Digest {
  return `${name}:${encodeHex(hash)}`;
}

/** `sha256:<hex>` of the bytes. */
export function sha256Digest(bytes: Uint8Array): Digest {
  return formatDigest('sha256', sha256(bytes));
}

/** @throws CoreError DIGEST_MALFORMED unless it is a known name, a colon and 64 lower-case hex digits */
export function parseDigest(text: string): { readonly name: HashName; readonly hash: Uint8Array } {
  const match = /^(sha256|blake3):([0-9a-f]{64})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new CoreError('DIGEST_MALFORMED', 'expected sha256:<64 hex> or blake3:<64 hex>');
  }
  return { name: match[1] as HashName, hash: parseHex(match[2]) };
}
