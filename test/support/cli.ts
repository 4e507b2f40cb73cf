import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { runCli } from '../../src/cli/run.ts';
import { validateSchema } from '../../src/core/schema.ts';
import type { Schema } from '../../src/core/schema-compiler.ts';
import type { Time } from '../../src/core/time.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const LAUNCHER = join(ROOT, 'bin/daemoneye');

export type Ran = {
  /** The exit code; a signal that ended it as 128 plus its number would be, is null here. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type RunOptions = {
  readonly cwd?: string;
  /** Added to a small environment that is the same everywhere; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  /** Another launcher than the project's own. */
  readonly command?: string;
};

/** Compiles src into dist if it isn't fresh; call it in a `beforeAll` of tests that run the real program. */
export async function ensureBuilt(): Promise<void> {
  const { build, PROJECT } = (await import(pathToFileURL(join(ROOT, 'scripts/build.mjs')).href)) as {
    build: (options: { quiet: boolean }) => Promise<void>;
    PROJECT: { dist: string };
  };
  try {
    await build({ quiet: true });
  } catch (error) {
    // The compiler writes its output all the same, and whether types are right is another step's question.
    if (!existsSync(join(PROJECT.dist, 'src/cli/main.js'))) throw error;
    process.stderr.write(`testing in spite of type errors: ${String(error).split('\n').slice(0, 2).join(' ')}\n`);
  }
}

/** Runs the real program, as a person would, in a child process without a terminal. */
export function daemoneye(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = start(args, options, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input ?? '');
  return finished(child);
}

/** Starts it and leaves the streams to the caller. */
export function start(args: readonly string[], options: RunOptions, spawnOptions: SpawnOptions): ChildProcess {
  return spawn(options.command ?? LAUNCHER, args, {
    cwd: options.cwd ?? tmpdir(),
    env: environment(options.env),
    ...spawnOptions,
  });
}

export function environment(changes: RunOptions['env'] = {}): Record<string, string> {
  const base = { PATH: process.env['PATH'], HOME: tmpdir(), LC_ALL: 'C.UTF-8', TERM: 'xterm-256color', ...changes };
  return Object.fromEntries(
    Object.entries(base).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

export type InsideOptions = {
  readonly env?: RunOptions['env'];
  /** Streams that say they are terminals of this many columns. */
  readonly columns?: number;
  readonly signal?: AbortSignal;
  /** What the clock says; the same day for everybody unless it has to go with the real program's. */
  readonly now?: Time;
};

/**
 * Runs a command line in this process, from the sources: the same path from the words to the exit code, without the
 * tenth of a second that a process takes. For what doesn't depend on the process.
 */
export async function inside(args: readonly string[], options: InsideOptions = {}): Promise<Ran> {
  const texts = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof texts): Writable & { isTTY?: boolean; columns?: number } => {
    const writable = new Writable({
      decodeStrings: false,
      write(chunk: string | Buffer, _, done) {
        texts[name] += chunk.toString();
        done();
      },
    });
    return options.columns === undefined
      ? writable
      : Object.assign(writable, { isTTY: true, columns: options.columns });
  };
  const code = await runCli(args, {
    env: environment(options.env),
    stdin: Readable.from([]),
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    signal: options.signal ?? new AbortController().signal,
    now: options.now ?? '2027-01-31T12:00:00.000Z',
  });
  return { code, signal: null, ...texts };
}

/** Waits for the end and gathers what was written. */
export async function finished(child: ChildProcess): Promise<Ran> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  child.on('error', reject);
  child.on('close', (code, signal) => resolve({ code, signal, ...texts }));
  return promise;
}

/** The JSON document on standard output, checked against `schemas/cli/<schema>.schema.json`. */
export function jsonOf<T>({ stdout }: Ran, schema: string): T {
  return validateSchema<T>(readSchema(schema), JSON.parse(stdout));
}

const schemas = new Map<string, Schema>();

/** The same object each time: a schema is compiled once, and its `$id` may be known once. */
export function readSchema(name: string): Schema {
  const known = schemas.get(name);
  if (known !== undefined) return known;
  const schema = JSON.parse(readFileSync(join(ROOT, 'schemas/cli', `${name}.schema.json`), 'utf8')) as Schema;
  schemas.set(name, schema);
  return schema;
}

/** Expects an error told the usual way: one line on standard error that ends with the code, nothing on the other. */
export function expectError(ran: Ran, code: string, exitCode: number): void {
  expect(ran.stderr).toMatch(new RegExp(`^daemoneye: [^\\n]+ \\[${code}\\]\\n$`));
  expect(ran.stdout).toBe('');
  expect(ran.code).toBe(exitCode);
}

/** Whether a stock tool is on this machine: without it, skip aloud. */
export function hasTool(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn(`SKIPPED: what needs ${name}, which is not on this machine`);
    return false;
  }
}
