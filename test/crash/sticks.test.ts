import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, environment, inside, type Ran, ROOT } from '../support/cli.ts';
import { SLOW } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';
import { ok } from '../support/workspace.ts';

/**
 * A stick that fails or is pulled at any moment: every system call of the real program that concerns a file on it, first
 * recorded and then, one by one, failed or killed at. What is written or read elsewhere fails in other tests.
 */
const canTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;
if (!canTrace) console.warn('SKIPPED: pulling sticks at system calls needs strace');

const MAIN = join(ROOT, 'dist/src/cli/main.js');
const SAMPLES = join(ROOT, 'bundles/samples');
/** Temporary names that are known beforehand: strace wants whole paths. */
const COUNTING = `data:text/javascript,${encodeURIComponent(`
  import crypto from 'node:crypto';
  import { syncBuiltinESMExports } from 'node:module';
  let count = 0;
  crypto.randomBytes = (size) => Buffer.alloc(size, ++count);
  syncBuiltinESMExports();
`)}`;
const temporary = (name: string, count: number) => `.${name}.${`0${count}`.repeat(6)}.tmp`;

/** One call on a path, and the how manyth of its kind there. */
type Call = { readonly path: string; readonly name: string; readonly nth: number };
type Failure = 'EIO' | 'ENODEV' | 'ENOSPC' | 'SIGKILL';

/** Calls that take bytes, names or room from the medium, and those that ask it for something. */
const WRITES =
  /^(?:write|writev|pwrite64|pwritev|fsync|fdatasync|rename|renameat|renameat2|ftruncate|fchmod|mkdir|unlink|rmdir)$/;

type Stage = {
  /** The command, given a folder that nobody else uses, with the stick in it. */
  readonly args: (folder: string) => readonly string[];
  /** Names of files on the stick that the command opens. */
  readonly names: readonly string[];
  readonly prepare: (folder: string) => void;
  /** Whether what the command makes is there; expects it to be whole then, and that nothing half-written looks like it. */
  readonly isDone: (folder: string) => boolean;
  /** What the command says where it was done before. */
  readonly doneAgain: string | undefined;
};

function underStrace(folder: string, stage: Stage, options: readonly string[]): Ran & { readonly trace: string } {
  const log = join(folder, 'trace');
  const program = [process.execPath, '--import', COUNTING, MAIN, ...stage.args(folder)];
  // strace counts a thread's calls, each for itself: with one thread for all asynchronous ones, none stays uncounted.
  const env = environment({ UV_THREADPOOL_SIZE: '1' });
  const ran = spawnSync('strace', ['-f', '-y', '-qqq', '-o', log, ...options, ...program], { env, encoding: 'utf8' });
  const { status: code, signal, stdout, stderr } = ran;
  return { code, signal, stdout, stderr, trace: readFileSync(log, 'utf8') };
}

/** Every call that the command makes on the stick, when nothing goes wrong. */
function recorded(stage: Stage): readonly Call[] {
  const folder = place(stage);
  const paths = pathsOf(folder, stage);
  const { code, stderr, trace } = underStrace(
    folder,
    stage,
    paths.flatMap((path) => ['-P', path]),
  );
  expect([code, stderr.includes('daemoneye:')], stderr).toEqual([0, false]);
  const counts = new Map<string, number>();
  return trace.split('\n').flatMap((line) => {
    const [, thread, name, rest = ''] = /^([0-9]+) +([a-z0-9_]+)\((.*)$/.exec(line) ?? [];
    const at = (path: string) => [`"${path}"`, `<${path}>`].map((text) => rest.indexOf(text)).filter((i) => i >= 0);
    const found = paths.flatMap((path) => at(path).map((i) => ({ path, i }))).sort((a, b) => a.i - b.i)[0];
    if (name === undefined || found === undefined) return [];
    const key = `${thread} ${name} ${found.path}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return [{ path: found.path.slice(folder.length + 1), name, nth: counts.get(key) ?? 0 }];
  });
}

function place(stage: Stage): string {
  const folder = tempDirectory();
  mkdirSync(join(folder, 'stick'));
  stage.prepare(folder);
  return folder;
}

function pathsOf(folder: string, { names }: Stage): readonly string[] {
  return [join(folder, 'stick'), ...names.map((name) => join(folder, 'stick', name))];
}

/** @param gone whether what is tried afterwards to clean up fails as well */
function failing(stage: Stage, { path, name, nth }: Call, failure: Failure, gone: boolean) {
  const folder = place(stage);
  const how = failure === 'SIGKILL' ? 'signal=SIGKILL' : `error=${failure}`;
  const after = gone ? ['-e', `inject=unlink,rmdir,unlinkat:error=${failure}`] : [];
  const options = ['-P', join(folder, path), '-e', `inject=${name}:${how}:when=${nth}`, ...after];
  return { folder, ...underStrace(folder, stage, options) };
}

function failuresAt({ name }: Call, i: number): readonly Failure[] {
  const errors = (WRITES.test(name) ? ['EIO', 'ENOSPC', 'ENODEV'] : ['EIO', 'ENODEV']) as readonly Failure[];
  return SLOW ? [...errors, 'SIGKILL'] : [[...errors, 'SIGKILL' as const][i % (errors.length + 1)] ?? 'EIO'];
}

/** Says what is wrong, in one plain sentence, and nothing else. */
function expectPlain({ code, stdout, stderr }: Ran, what: string): void {
  expect([what, code]).toEqual([what, 1]);
  expect(stderr, what).toMatch(/^daemoneye: [^\n]+ \[[A-Z_]+\]\n$/);
  expect(stderr, what).not.toMatch(/bug in daemoneye|INTERNAL|at .*\.js:|SYSTEM|\.tmp/);
  expect(stdout, what).toBe('');
}

async function pullAt(stage: Stage, call: Call, failure: Failure, gone: boolean): Promise<'failed' | 'bore it'> {
  const what = `${call.name} ${call.nth} on ${call.path}: ${failure}${gone ? ', and gone' : ''}`;
  const { folder, ...ran } = failing(stage, call, failure, gone);
  const isDone = stage.isDone(folder);
  if (failure === 'SIGKILL') expect([what, ran.signal]).toEqual([what, 'SIGKILL']);
  else if (ran.code !== 0) expectPlain(ran, what);
  // What it can do without, such as a look at what the medium is called, must not keep it from its work.
  else expect([what, isDone, ran.stderr.includes('daemoneye:')]).toEqual([what, true, false]);
  if (ran.code !== 0) expect(ran.stderr, what).not.toMatch(/Safe to remove|Written through/);
  const again = await inside(stage.args(folder));
  const said = /\[([A-Z_]+)\]\n$/.exec(again.stderr)?.[1];
  if (isDone && stage.doneAgain !== undefined) expect([what, said]).toEqual([what, stage.doneAgain]);
  else expect([what, again.code, again.stderr.includes('[')]).toEqual([what, 0, false]);
  expect([what, stage.isDone(folder)]).toEqual([what, true]);
  return ran.code === 0 ? 'bore it' : 'failed';
}

/** Bytes of a file that nothing went wrong with. */
const whole = new Map<string, Buffer>();
let bench: string;
let volumes: readonly string[] = [];
const DIRECTORY = join(SAMPLES, 'linux-baseline-1.bundle');
/** Of two blobs, whose content is judged quickly. */
const TAR = join(SAMPLES, 'tools-1.bundle.tar');
/** One blob fits beside the head. */
const SIZE = '8K';

beforeAll(async () => {
  if (!canTrace) return;
  await ensureBuilt();
  bench = mkdtempSync(join(tmpdir(), 'daemoneye-test-'));
  await ok('bundle', 'pack', DIRECTORY, '--out', join(bench, 'x.tar'));
  await ok('bundle', 'split', TAR, '--size', SIZE, '--out', join(bench, 'v'));
  volumes = readdirSync(bench).filter((name) => name.startsWith('v.'));
  for (const name of ['x.tar', ...volumes]) whole.set(name, readFileSync(join(bench, name)));
  whole.set('joined.tar', readFileSync(TAR));
  expect(volumes).toHaveLength(2);
  const root = join(SAMPLES, 'root/1.root.dsse.json');
  const { fingerprint } = JSON.parse((await ok('trust', 'show', root, '--json')).stdout) as { fingerprint: string };
  await ok('init', '--data', join(bench, 'data'));
  await ok('trust', 'pin', root, '--fingerprint', fingerprint, '--data', join(bench, 'data'));
}, 120_000);
afterAll(() => {
  if (bench !== undefined) rmSync(bench, { recursive: true, force: true });
});

const onStick = (folder: string, name: string) => join(folder, 'stick', name);

/** Whether the file is there; nobody may find half of one under its name. */
function isWhole(path: string, name: string): boolean {
  if (!existsSync(path)) return false;
  expect(readFileSync(path).equals(whole.get(name) ?? Buffer.alloc(0)), path).toBe(true);
  return true;
}

/** What is on the stick besides what belongs there looks like nothing that anybody would take. */
function expectNoOthers(folder: string, names: readonly string[]): void {
  const others = readdirSync(join(folder, 'stick')).filter((name) => !names.includes(name));
  for (const name of others) expect(name).toMatch(/^\..*\.tmp$/);
}

function copyVolumes(folder: string): void {
  for (const name of volumes) cpSync(join(bench, name), onStick(folder, name));
}

const writing: readonly [string, () => Stage][] = [
  [
    'bundle pack',
    () => ({
      args: (folder) => ['bundle', 'pack', DIRECTORY, '--out', onStick(folder, 'x.tar')],
      names: [temporary('x.tar', 1), 'x.tar'],
      prepare: () => undefined,
      isDone: (folder) => {
        expectNoOthers(folder, ['x.tar']);
        return isWhole(onStick(folder, 'x.tar'), 'x.tar');
      },
      doneAgain: 'OUTPUT_EXISTS',
    }),
  ],
  [
    'bundle split',
    () => ({
      args: (folder) => ['bundle', 'split', TAR, '--size', SIZE, '--out', onStick(folder, 'v')],
      names: volumes.flatMap((name, i) => [temporary(name, i + 1), name]),
      prepare: () => undefined,
      isDone: (folder) => {
        expectNoOthers(folder, volumes);
        return volumes.map((name) => isWhole(onStick(folder, name), name)).every((isThere) => isThere);
      },
      doneAgain: undefined,
    }),
  ],
];

const reading: readonly [string, () => Stage][] = [
  [
    'bundle join',
    () => ({
      args: (folder) => {
        const files = volumes.map((name) => onStick(folder, name));
        return ['bundle', 'join', ...files, '--out', join(folder, 'out', 'joined.tar')];
      },
      names: volumes,
      prepare: (folder) => {
        mkdirSync(join(folder, 'out'));
        copyVolumes(folder);
      },
      isDone: (folder) => {
        const killed = readdirSync(join(folder, 'out')).filter((name) => name !== 'joined.tar');
        for (const name of killed) expect(name).toMatch(/^\..*\.tmp$/);
        return isWhole(join(folder, 'out', 'joined.tar'), 'joined.tar');
      },
      doneAgain: 'OUTPUT_EXISTS',
    }),
  ],
  [
    'bundle apply',
    () => ({
      args: (folder) => {
        const files = volumes.map((name) => onStick(folder, name));
        return ['bundle', 'apply', ...files, '--yes', '--data', join(folder, 'data')];
      },
      names: volumes,
      prepare: (folder) => {
        cpSync(join(bench, 'data'), join(folder, 'data'), { recursive: true, verbatimSymlinks: true });
        copyVolumes(folder);
      },
      isDone: (folder) => {
        const active = join(folder, 'data/bundles/update~tools/active');
        if (!existsSync(active)) return false;
        const index = readFileSync(join(active, 'index.jsonl'), 'utf8').trimEnd().split('\n');
        for (const { path, size } of index.map((line) => JSON.parse(line) as { path: string; size: number })) {
          expect(readFileSync(join(active, 'files', path)).length).toBe(size);
        }
        return true;
      },
      doneAgain: undefined,
    }),
  ],
];

describe.skipIf(!canTrace)('a stick that fails, or is pulled, at any call', () => {
  it.each([...writing, ...reading])(
    '%s: the old state or the new one, told in a sentence, and the next run completes',
    async (what, stageOf) => {
      const stage = stageOf();
      const calls = recorded(stage);
      // A call that is never made would prove nothing.
      expect(calls.length).toBeGreaterThan(5);
      let failed = 0;
      for (const [i, call] of calls.entries()) {
        if (!SLOW && !isSampled(i, calls)) continue;
        for (const failure of failuresAt(call, i)) {
          const gone = failure !== 'SIGKILL' && WRITES.test(call.name) && i % 2 === 0;
          const outcome = await pullAt(stage, call, failure, gone);
          if (outcome === 'failed') failed += 1;
        }
      }
      expect(failed).toBeGreaterThan(2);
      if (SLOW) console.info(`${what}: ${calls.length} calls on the stick, ${failed} failures that ended it`);
    },
    SLOW ? 1_800_000 : 120_000,
  );
});

const MOVES = /^(?:p?write(?:64|v)?|p?read(?:64|v)?|fsync|rename|openat|close)$/;

/** What moves bytes or names, once on each sort of path. */
function isSampled(i: number, calls: readonly Call[]): boolean {
  const sortOf = ({ name, path }: Call) => `${name} ${path.replace(/[0-9]+/g, '')}`;
  const call = calls[i];
  if (call === undefined || !MOVES.test(call.name)) return false;
  return calls.findIndex((one) => sortOf(one) === sortOf(call)) === i;
}
