import { createHash, createPrivateKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatPrivateKey, type PrivateKey, parsePrivateKey } from '../../src/core/keys.ts';

/** Who they play in the samples; mallory's key is in no trust root. */
export const EXAMPLE_NAMES = ['alice', 'bob', 'carol', 'dave', 'mallory'] as const;
export type ExampleName = (typeof EXAMPLE_NAMES)[number];

/** Published like the others: an age identity (age-keygen), and who encrypts to it. */
export const EXAMPLE_IDENTITY = 'AGE-SECRET-KEY-1EW8E0TJZ2FQTK47XM0F5NG8SPDM28NCH86AYAMGC9YYSVFRL23NSUZT5YU';
export const EXAMPLE_RECIPIENT = 'age1v65kx6mlc76g2n776ad5nj0fqdcaefam55kntsrls8eln3z0ad9swcd0ef';

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
  const identity = `# TEST-ONLY\n# public key: ${EXAMPLE_RECIPIENT}\n${EXAMPLE_IDENTITY}\n`;
  writeFileSync(join(folder, 'TEST-ONLY-enclave.age.txt'), identity);
}
