import { createHash, createPrivateKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatPrivateKey, type PrivateKey, parsePrivateKey } from '../../src/core/keys.ts';

/** Who they play in the samples; mallory's key is in no trust root. */
export const EXAMPLE_NAMES = ['alice', 'bob', 'carol', 'dave', 'mallory'] as const;
export type ExampleName = (typeof EXAMPLE_NAMES)[number];

/** PKCS#8 DER of an Ed25519 key up to its 32 seed bytes (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A published key: its seed is the digest of a sentence that says what it is for. */
export function exampleKey(name: ExampleName): PrivateKey {
  const seed = createHash('sha256').update(`daemoneye TEST-ONLY example key of ${name}`).digest();
  const handle = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  return parsePrivateKey(formatPrivateKey(handle));
}

export function writeExampleKeys(folder: string): void {
  for (const name of EXAMPLE_NAMES) {
    const key = exampleKey(name);
    writeFileSync(join(folder, `TEST-ONLY-${name}.key.pem`), formatPrivateKey(key.handle));
    writeFileSync(join(folder, `TEST-ONLY-${name}.pub.pem`), key.publicKey.pem);
  }
}
