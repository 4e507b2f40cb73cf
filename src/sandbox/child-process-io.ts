import { type ChildProcess, spawn } from 'node:child_process';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { SandboxError } from './errors.ts';
import type { Launch } from './launch.ts';
import {
  type Answer,
  type ChildFrame,
  encodeFrame,
  MAX_QUESTION_BYTES,
  type OpenRequest,
  parseChildFrame,
  type Question,
} from './protocol.ts';

type Waiting = { readonly resolve: (frame: ChildFrame) => void; readonly reject: (error: SandboxError) => void };

const MAX_COMPLAINT = 2048;

/** One child, asked one thing at a time, and killed when it overruns or misbehaves. */
export class Child {
  readonly #process: ChildProcess;
  readonly #maxLineBytes: number;
  readonly #exited: Promise<void>;
  #waiting: Waiting | undefined;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #complaint = '';
  #lastId = 0;
  alive = true;
  busyMs = 0;

  /** @param maxLineBytes of one line from the child */
  constructor({ command, args, cwd }: Launch, maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes;
    // An empty environment: nothing to inherit, nothing to leak. Windows can't start a program without its root.
    const env = process.platform === 'win32' ? { SystemRoot: process.env['SystemRoot'] } : {};
    this.#process = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    this.#exited = new Promise((resolve) => {
      this.#process.once('close', () => resolve());
      this.#process.once('error', () => resolve());
    });
    this.#process.once('close', (status, signal) => this.#fail(died(signal ?? `status ${status}`, this.#complaint)));
    this.#process.once('error', (cause) => this.#fail(died(cause.message, '')));
    this.#process.stdin?.on('error', () => undefined);
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString('utf8')).slice(0, MAX_COMPLAINT);
    });
    this.#process.stdout?.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /** @throws SandboxError DATABASE, DEADLINE or CHILD_DIED */
  async start(request: OpenRequest, startMs: number): Promise<void> {
    const frame = await this.#exchange(encodeFrame(request), startMs, undefined);
    if (frame.kind === 'failure') throw frame.error;
    if (frame.kind !== 'ready')
      throw this.#kill(new SandboxError('CHILD_DIED', 'the sandbox did not start as it must'));
  }

  /** @throws SandboxError, any code but CLOSED */
  async ask(question: Question, deadlineMs: number, signal: AbortSignal | undefined): Promise<Answer> {
    this.#lastId += 1;
    const id = this.#lastId;
    const line = encodeFrame({ ...question, id });
    if (line.length > MAX_QUESTION_BYTES) {
      throw new SandboxError('GIVEN_REFUSED', `the question is over ${MAX_QUESTION_BYTES} bytes`);
    }
    const started = performance.now();
    try {
      const frame = await this.#exchange(line, deadlineMs, signal);
      if (frame.kind === 'ready' || frame.id !== id) {
        throw this.#kill(new SandboxError('CHILD_DIED', 'the sandbox answered another question than was asked'));
      }
      if (frame.kind === 'failure') throw frame.error;
      return frame.answer;
    } finally {
      this.busyMs += performance.now() - started;
    }
  }

  /** Kills it and waits until it is gone. */
  async end(): Promise<void> {
    this.#kill(new SandboxError('CLOSED', 'the sandbox is closed'));
    await this.#exited;
  }

  /** One line there, one line back, in time; else the child is killed, since nothing less stops a running statement. */
  async #exchange(line: string, deadlineMs: number, signal: AbortSignal | undefined): Promise<ChildFrame> {
    const { promise, resolve, reject } = Promise.withResolvers<ChildFrame>();
    this.#waiting = { resolve, reject };
    if (!this.alive) this.#fail(died('it ended between two questions', this.#complaint));
    const timer = setTimeout(() => {
      this.#kill(new SandboxError('DEADLINE', `the question took longer than ${deadlineMs} ms`));
    }, deadlineMs);
    const abort = () => this.#kill(cancelled());
    signal?.addEventListener('abort', abort, { once: true });
    try {
      this.#process.stdin?.write(`${line}\n`);
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  #receive(chunk: Buffer): void {
    this.#bytes += chunk.length;
    // A child that was taken over could fill the parent's memory instead of its own.
    if (this.#bytes > this.#maxLineBytes) {
      this.#kill(new SandboxError('CHILD_DIED', 'the sandbox said more than it may; it was ended'));
      return;
    }
    this.#chunks.push(chunk);
    if (chunk.at(-1) !== 0x0a) return;
    const line = Buffer.concat(this.#chunks).toString('utf8').slice(0, -1);
    this.#chunks = [];
    this.#bytes = 0;
    try {
      const frame = parseChildFrame(line);
      this.#waiting?.resolve(frame);
      this.#waiting = undefined;
    } catch (error) {
      this.#kill(error as SandboxError);
    }
  }

  #kill(error: SandboxError): SandboxError {
    this.#fail(error);
    this.#process.kill('SIGKILL');
    return error;
  }

  #fail(error: SandboxError): void {
    this.alive = false;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

function died(how: string, complaint: string): SandboxError {
  const [first] = complaint.split('\n').filter((text) => text.trim() !== '');
  const said = first === undefined ? '' : `: ${escapeForTerminal(first)}`;
  return new SandboxError('CHILD_DIED', `the sandbox ended by itself (${escapeForTerminal(how)})${said}`);
}

export function cancelled(): SandboxError {
  return new SandboxError('CANCELLED', 'the question was cancelled');
}
