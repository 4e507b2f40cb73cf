/**
 * Regenerates `src/ipc/gen/` from `proto/`: `node scripts/generate-proto.mjs`. A test runs it into another folder and
 * compares. An argument names another folder. The programs are dev dependencies: nothing is fetched.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');
const FOLDER = join('src', 'ipc', 'gen');

const target = resolve(process.argv[2] ?? join(ROOT, FOLDER));
mkdirSync(target, { recursive: true });
execFileSync(join(BIN, 'buf'), ['generate', '--output', target], {
  cwd: join(ROOT, 'proto'),
  stdio: 'inherit',
  // The generator is a script for "node": the pinned one comes first on the path.
  env: { ...process.env, PATH: [BIN, process.env.PATH].join(delimiter) },
});
for (const name of readdirSync(target)) {
  const file = join(target, name);
  // Formatted as the file it is to become, wherever it lies now.
  const args = ['check', '--write', `--stdin-file-path=${join(FOLDER, name)}`];
  writeFileSync(file, execFileSync(join(BIN, 'biome'), args, { cwd: ROOT, input: readFileSync(file) }));
}
