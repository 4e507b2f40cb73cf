import { createPrivateKey } from 'node:crypto';
import { concatBytes, parseHex, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { formatPrivateKey, type PrivateKey, parsePrivateKey } from '../../src/core/keys.ts';

const PKCS8_PREFIX = parseHex('302e020100300506032b657004220420');
const made = new Map<string, PrivateKey>();

/** A private key that depends on its name alone. */
export function testKey(name: string): PrivateKey {
  const known = made.get(name);
  if (known !== undefined) return known;
  const key = parsePrivateKey(testKeyPem(name));
  made.set(name, key);
  return key;
}

/** The same as text, for another process. */
export function testKeyPem(name: string): string {
  const seed = sha256(utf8(`daemoneye test key ${name}`));
  const der = Buffer.from(concatBytes(PKCS8_PREFIX, seed));
  return formatPrivateKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}
