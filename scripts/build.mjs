// Compiles src/ into dist/, and schemas/ into the validators there; only when something changed, and leaves nothing
// there that src/ no longer has.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { pinnedNode, ROOT, SetupError, toolEnvironment } from './runtime.mjs';
import { announce, capture } from './steps.mjs';

/** What makes the validators; plain TypeScript on the pinned Node.js. */
const VALIDATORS = 'scripts/validators.ts';

/** Where to build, for tests that build elsewhere. */
export const PROJECT = { root: ROOT, dist: join(ROOT, 'dist') };

/**
 * @param {{quiet?: boolean}} options quiet: no line on success
 * @returns {Promise<void>} @throws SetupError with the compiler's own words
 */
export async function build({ quiet = false } = {}) {
  const release = await takeTurn();
  try {
    const state = fingerprint();
    if (isFresh(state)) return;
    const step = quiet ? undefined : announce('build');
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const args = [tsc, '-p', join(ROOT, 'tsconfig.build.json')];
    const options = { cwd: ROOT, env: toolEnvironment() };
    const compiled = await capture(pinnedNode(), args, options);
    // Also after an error of types: what the compiler wrote runs all the same.
    const validators = existsSync(join(ROOT, VALIDATORS))
      ? await capture(pinnedNode(), [join(ROOT, VALIDATORS)], options)
      : { ok: true, output: '' };
    for (const [what, { ok, output }] of [
      ['the sources do not compile', compiled],
      ['the schemas do not compile', validators],
    ]) {
      if (ok) continue;
      step?.failed();
      throw new SetupError(`${what}:\n${output.trimEnd()}`);
    }
    const removed = removeStale();
    writeFileSync(stampFile(), state);
    step?.done(`build: ${sourceFiles('src').length} files${removed > 0 ? `, ${removed} stale removed` : ''}`);
  } finally {
    release();
  }
}

/** Whether dist/ was built from the sources as they are now. */
export function isFresh(state = fingerprint()) {
  return existsSync(join(PROJECT.dist, 'src', 'cli', 'main.js')) && readText(stampFile()) === state;
}

function stampFile() {
  return join(PROJECT.dist, '.built-from');
}

/** Path, size and time of everything the compiler reads: a fraction of what starting it would cost. */
function fingerprint() {
  const hash = createHash('sha256');
  const files = [
    ...sourceFiles('src'),
    ...sourceFiles('schemas'),
    'tsconfig.json',
    'tsconfig.build.json',
    'package-lock.json',
    ...[VALIDATORS].filter((file) => existsSync(join(ROOT, file))),
  ];
  for (const file of files.sort()) {
    const { size, mtimeMs } = statSync(join(ROOT, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function sourceFiles(folder) {
  return filesIn(join(ROOT, folder)).map((file) => relative(ROOT, file));
}

function filesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

/** A module whose source is gone would still be found by an import that should fail. */
function removeStale() {
  let removed = 0;
  for (const folder of ['src', 'schemas']) {
    for (const file of filesIn(join(PROJECT.dist, folder))) {
      const source = join(ROOT, relative(PROJECT.dist, file));
      if (['.ts', '.tsx'].some((ending) => existsSync(source.replace(/\.js$/, ending)))) continue;
      rmSync(file);
      removed += 1;
      removeEmpty(dirname(file));
    }
  }
  return removed;
}

function removeEmpty(folder) {
  if (relative(PROJECT.dist, folder).split(sep).length < 2 || readdirSync(folder).length > 0) return;
  rmdirSync(folder);
  removeEmpty(dirname(folder));
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** One build at a time: two compilers writing the same files would let a reader see half of one. */
async function takeTurn() {
  const lock = join(ROOT, 'node_modules', '.daemoneye-build');
  for (;;) {
    try {
      mkdirSync(lock);
      writeFileSync(join(lock, 'pid'), String(process.pid));
      return () => rmSync(lock, { recursive: true, force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(readText(join(lock, 'pid')));
    if (isGone(lock, holder)) rmSync(lock, { recursive: true, force: true });
    else await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isGone(lock, holder) {
  if (!(holder > 0)) {
    // Between making the folder and writing the number in it.
    const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    return Date.now() - made > 5000;
  }
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}
