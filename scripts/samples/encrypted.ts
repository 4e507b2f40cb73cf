import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes, equalBytes } from '../../src/core/bytes.ts';
import { decryptWith, encryptTo } from '../../src/seal/age-files.ts';
import { EXAMPLE_IDENTITY, EXAMPLE_RECIPIENT } from './keys.ts';

const ENCRYPTED = 'encrypted';

/** Where the encrypted form of a sample lies, below the samples. */
export function encryptedName(name: string): string {
  return join(ENCRYPTED, `${name}.age`);
}

/**
 * One of the samples, encrypted. age draws a new file key each time, so the file that was made once is kept as long as
 * what is in it is the sample to the byte.
 * @param kept what was made once, if it is there
 */
export async function writeEncrypted(target: string, name: string, kept: Uint8Array | undefined): Promise<void> {
  const plain = new Uint8Array(readFileSync(join(target, name)));
  const isGood = kept !== undefined && equalBytes(await gathered(decryptWith(once(kept), [EXAMPLE_IDENTITY])), plain);
  mkdirSync(join(target, ENCRYPTED));
  const bytes = isGood ? kept : await gathered(encryptTo(once(plain), [EXAMPLE_RECIPIENT]));
  writeFileSync(join(target, encryptedName(name)), bytes);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(new Uint8Array(piece));
  return concatBytes(...all);
}
