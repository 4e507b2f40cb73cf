/**
 * Regenerates `keys/example/` and `bundles/samples/`, bit for bit: `npm run samples`. A test runs it into another
 * folder and compares. `npm run samples -- DIR` writes under DIR.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { encryptedName } from './samples/encrypted.ts';
import { writeExampleKeys } from './samples/keys.ts';
import { ENCRYPTED_SAMPLE, writeSamples } from './samples/write.ts';

const ROOT = resolve(import.meta.dirname, '..');

const target = resolve(process.argv[2] ?? ROOT);
const keys = join(target, 'keys', 'example');
const samples = join(target, 'bundles', 'samples');
const encrypted = join(ROOT, 'bundles', 'samples', encryptedName(ENCRYPTED_SAMPLE));
// Before it is removed: it can't be made again bit for bit.
const kept = existsSync(encrypted) ? new Uint8Array(readFileSync(encrypted)) : undefined;
mkdirSync(keys, { recursive: true });
mkdirSync(samples, { recursive: true });
// READMEs are written by people; everything else is made here.
for (const folder of [keys, samples]) {
  for (const name of readdirSync(folder)) if (name !== 'README.md') rmSync(join(folder, name), { recursive: true });
}
writeExampleKeys(keys);
await writeSamples(samples, join(ROOT, 'rules', 'linux'), kept);
