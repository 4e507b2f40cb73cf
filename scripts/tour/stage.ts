import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a command did, besides what was shown of it. */
export type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  /** The exit code that belongs to the story; any other stops the tour. Default 0. */
  readonly expect?: number;
  /** Which of the printed lines to show; default all of standard output. */
  readonly show?: (run: Run) => readonly string[];
};

/** A command that goes on while others run. */
export type Background = {
  /** Ends it, if it hasn't ended, and waits until it has. */
  readonly end: () => Promise<void>;
};

export class TourFailure extends Error {}

/**
 * Runs real commands of the compiled program in a temporary folder and shows them as a person would type them.
 * Everything printed is what the program printed, or was measured here.
 */
export class Stage {
  readonly #root: string;
  readonly #cwd: string;
  readonly #signal: AbortSignal;
  readonly #bold: (text: string) => string;
  readonly #dim: (text: string) => string;
  #steps = 0;

  constructor(root: string, cwd: string, signal: AbortSignal) {
    this.#root = root;
    this.#cwd = cwd;
    this.#signal = signal;
    const colour = process.stdout.isTTY === true && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
    this.#bold = colour ? (text) => `\x1b[1m${text}\x1b[0m` : (text) => text;
    this.#dim = colour ? (text) => `\x1b[2m${text}\x1b[0m` : (text) => text;
  }

  /** A heading. */
  step(title: string): void {
    this.#steps += 1;
    process.stdout.write(`\n${this.#bold(`${this.#steps}. ${title}`)}\n`);
  }

  /** A line of ours. */
  say(text: string): void {
    process.stdout.write(`   ${text}\n`);
  }

  /** Runs `daemoneye` with these arguments and shows the command and what it printed. */
  async daemoneye(args: readonly string[], options: RunOptions = {}): Promise<Run> {
    process.stdout.write(`   ${this.#dim(`$ daemoneye ${args.map(quoted).join(' ')}`)}\n`);
    const run = await this.quietly(args, options.expect ?? 0);
    const shown = options.show?.(run) ?? run.stdout.trimEnd().split('\n');
    for (const line of shown) process.stdout.write(line === '' ? '\n' : `     ${line}\n`);
    return run;
  }

  /** Runs `daemoneye` and shows nothing. @throws TourFailure on another exit code than `expect` */
  async quietly(args: readonly string[], expect = 0): Promise<Run> {
    const run = await this.#spawn(join(this.#root, 'bin', 'daemoneye'), args);
    if (run.code !== expect) {
      const said = `${run.stderr}${run.stdout}`.trim();
      throw new TourFailure(`daemoneye ${args.join(' ')} ended with ${run.code}, expected ${expect}:\n${said}`);
    }
    return run;
  }

  /**
   * Starts `daemoneye` and lets it run until {@link Background.end}. In a group of its own: Ctrl-C reaches the tour, which
   * then asks it once to end; asked twice it would leave at once, and its children would be seen to follow.
   */
  background(args: readonly string[]): Background {
    process.stdout.write(`   ${this.#dim(`$ daemoneye ${args.map(quoted).join(' ')} &`)}\n`);
    const { cwd, env } = this.#options();
    const child = spawn(join(this.#root, 'bin', 'daemoneye'), args, { cwd, env, detached: true, stdio: 'ignore' });
    const ended = new Promise<void>((resolve) => {
      child.once('close', () => resolve()).once('error', () => resolve());
    });
    return {
      end: async () => {
        child.kill('SIGTERM');
        await ended;
      },
    };
  }

  /** Waits, unless the tour is interrupted. */
  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#signal });
  }

  #options(): { cwd: string; env: NodeJS.ProcessEnv; signal: AbortSignal; killSignal: 'SIGTERM' } {
    return {
      cwd: this.#cwd,
      env: { ...process.env, DAEMONEYE_DATA: join(this.#cwd, 'data') },
      signal: this.#signal,
      killSignal: 'SIGTERM',
    };
  }

  #spawn(file: string, args: readonly string[]): Promise<Run> {
    this.#signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Run>();
    const child = spawn(file, args, { ...this.#options(), stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
    return promise;
  }
}

function quoted(argument: string): string {
  return /^[A-Za-z0-9_./:=,@%+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
