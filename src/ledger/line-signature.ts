import { type KeyObject, verify } from 'node:crypto';
import { parseBase64 } from '../core/bytes.ts';
import { ed25519KeyObject } from '../core/ed25519.ts';
import type { PublicKey } from '../core/keys.ts';
import { type Line, signedLineBytes } from './line.ts';

/** node:crypto needs a key object; making one costs more than a verification. */
const keyObjects = new WeakMap<PublicKey, KeyObject>();

/**
 * Whether the line is signed, by this key, and the signature is good. Lines are the hot path, so this is node:crypto
 * alone, which on keys that passed `assertSafePublicKey` is the stricter of our two verifiers.
 */
export function verifyLineSignature(line: Line, key: PublicKey): boolean {
  if (line.kid !== key.keyid || line.sig === undefined) return false;
  let handle = keyObjects.get(key);
  if (handle === undefined) {
    handle = ed25519KeyObject(key.raw);
    keyObjects.set(key, handle);
  }
  return verify(null, signedLineBytes(line), handle, parseBase64OrNothing(line.sig));
}

function parseBase64OrNothing(text: string): Uint8Array {
  try {
    return parseBase64(text);
  } catch {
    // Spare bits set: a second spelling of a signature is no signature.
    return new Uint8Array();
  }
}
