import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One run of a command: seconds of the wall clock, seconds of CPU (all its threads and children), bytes resident at most. */
export type Run = { readonly wall: number; readonly cpu: number; readonly resident: number };

/** Something to measure; every round runs each once, so that whatever else the machine does hits all alike. */
export type Contender = {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly environment?: Readonly<Record<string, string>>;
  /** Exit codes that are not a failure of the measurement; default 0. */
  readonly exits?: readonly number[];
  /** Made before every run, unmeasured. */
  readonly before?: () => void;
  /** Looks at standard output after every run, unmeasured; throws when the work was not done. */
  readonly check?: (stdout: string) => void;
};

export type Result = { readonly name: string; readonly best: Run; readonly runs: readonly Run[] };

/** How often a process is asked for its memory. `VmHWM` is a maximum kept by the kernel, so little is missed. */
const POLL_MS = 25;

/** Runs all contenders in turn, `rounds` times. The best run of each counts: what disturbs can only slow down. */
export async function race(rounds: number, contenders: readonly Contender[]): Promise<Result[]> {
  const runs = new Map<string, Run[]>();
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of contenders) {
      const run = await measure(contender);
      process.stderr.write(`  ${contender.name}: ${run.wall.toFixed(2)} s, ${run.cpu.toFixed(2)} s CPU\n`);
      runs.set(contender.name, [...(runs.get(contender.name) ?? []), run]);
    }
  }
  return contenders.map(({ name }) => {
    const all = runs.get(name) ?? [];
    const least = (of: (run: Run) => number) => Math.min(...all.map(of));
    const best = { wall: least((run) => run.wall), cpu: least((run) => run.cpu), resident: residentOf(all) };
    return { name, best, runs: all };
  });
}

/** Memory is not disturbed by others: the worst run counts. */
function residentOf(runs: readonly Run[]): number {
  return Math.max(...runs.map(({ resident }) => resident));
}

/**
 * How many times as long one took as the other: the median over the rounds, in each of which both met the same machine.
 */
export function ratioOf(results: readonly Result[], name: string, beside: string, what: 'wall' | 'cpu'): number {
  const [ours, theirs] = [name, beside].map((one) => results.find((result) => result.name === one)?.runs ?? []);
  const ratios = (ours ?? []).map((run, round) => run[what] / (theirs?.[round]?.[what] ?? Number.NaN));
  ratios.sort((a, b) => a - b);
  const middle = (ratios.length - 1) / 2;
  return ((ratios[Math.floor(middle)] ?? Number.NaN) + (ratios[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** The named result. @throws Error when it was not measured */
export function of(results: readonly Result[], name: string): Run {
  const found = results.find((result) => result.name === name);
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found.best;
}

async function measure({ name, command, environment, exits = [0], before, check }: Contender): Promise<Run> {
  before?.();
  // `times` of POSIX sh tells the CPU time of what it waited for; the shell itself takes a millisecond.
  const child = spawn('sh', ['-c', '"$@"; code=$?; times >&2; exit $code', 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', ...environment },
  });
  const started = performance.now();
  const texts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.stderr += text;
  });
  let resident = 0;
  const watch = setInterval(() => {
    resident = Math.max(resident, ...childrenOf(child.pid ?? 0).map(peakOf));
  }, POLL_MS);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on('error', reject);
  child.on('close', (code, signal) => (signal === null ? resolve(code ?? 0) : reject(new Error(signal))));
  const code = await promise.finally(() => clearInterval(watch));
  const wall = (performance.now() - started) / 1000;
  if (!exits.includes(code)) throw new Error(`${name}: exit code ${code}: ${texts.stderr}${texts.stdout}`);
  check?.(texts.stdout);
  return { wall, cpu: cpuOf(texts.stderr), resident };
}

/** The last line of `times`: user and system time of the children, as `1m2.34s 0m0.56s`. */
function cpuOf(stderr: string): number {
  const match = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(stderr);
  if (match === null) throw new Error(`no times in: ${stderr}`);
  const [userMinutes = 0, user = 0, systemMinutes = 0, system = 0] = match.slice(1).map(Number);
  return userMinutes * 60 + user + systemMinutes * 60 + system;
}

function childrenOf(pid: number): number[] {
  return procText(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** Bytes, with those of its children (a launcher replaces itself, but a pipeline has several). */
function peakOf(pid: number): number {
  const own = Number(/^VmHWM:\s+(\d+) kB/m.exec(procText(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
  return own + childrenOf(pid).reduce((sum, child) => sum + peakOf(child), 0);
}

function procText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended, or there is no such file system here.
    return '';
  }
}
