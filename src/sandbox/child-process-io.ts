import { type ChildProcess, spawn } from 'node:child_process';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { SandboxError } from './errors.ts';
import type { Launch } from './launch.ts';
import { Patience, workedMs } from './patience-io.ts';
import {
  type Answer,
  type ChildFrame,
  encodeFrame,
  MAX_QUESTION_BYTES,
  type OpenRequest,
  parseChildFrame,
  type Question,
} from './protocol.ts';

export type Asked = {
  readonly sql: string;
  /** From when the one before it was answered. */
  readonly deadlineMs: number;
  /** With it, the deadline is for the time the child works ({@link Patience}). */
  readonly patienceMs?: number | undefined;
};

/** How one of many questions ended. Of an answer without rows, the rows are all there is. */
export type Outcome = {
  /** For which it was worked on, about. */
  readonly ms: number;
} & ({ readonly answer: Answer } | { readonly error: SandboxError });

/** A question that was sent, and waits for its frame; the first of them is being worked on. */
type Turn = {
  readonly id: number;
  readonly deadlineMs: number;
  readonly patienceMs: number | undefined;
  readonly resolve: (frame: ChildFrame) => void;
  readonly reject: (error: Error) => void;
  ms: number;
};

const NEWLINE = 0x0a;
const MAX_COMPLAINT = 2048;
/** Texts that the child remembers. */
const MAX_KNOWN = 1024;
/** How old that may be when a question begins. */
const WORKED_MS = 5;
const NOTHING: Answer = { columns: [], origins: [], rows: [], reads: {} };

/** The child ended before it came to this question. */
class NotAsked extends Error {}

/** One child: told what to do in order, and killed when it overruns or misbehaves. */
export class Child {
  readonly #process: ChildProcess;
  readonly #maxLineBytes: number;
  readonly #exited: Promise<void>;
  #turns: Turn[] = [];
  #patience: Patience | undefined;
  /** How long the child had worked at that moment. */
  #worked: { readonly at: number; readonly ms: number | undefined } = { at: 0, ms: 0 };
  /** When the first of the turns began. */
  #began = 0;
  readonly #known = new Map<string, number>();
  /** Answers of the piece that is being read. */
  readonly #told: { readonly turn: Turn; readonly frame: ChildFrame }[] = [];
  #failure: SandboxError | undefined;
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
    const { answered } = this.#begin(0, startMs);
    this.#write(encodeFrame(request));
    const frame = await answered;
    if (frame.kind === 'failure') throw frame.error;
    if (frame.kind !== 'ready')
      throw this.#kill(new SandboxError('CHILD_DIED', 'the sandbox did not start as it must'));
  }

  /** @throws SandboxError, any code but CLOSED */
  async ask(question: Question, deadlineMs: number, signal: AbortSignal | undefined): Promise<Answer> {
    const id = this.#nextId();
    const line = encodeFrame({ ...question, id });
    if (line.length > MAX_QUESTION_BYTES) {
      throw new SandboxError('GIVEN_REFUSED', `the question is over ${MAX_QUESTION_BYTES} bytes`);
    }
    const abort = () => this.#kill(cancelled());
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const { answered } = this.#begin(id, deadlineMs);
      this.#write(line);
      return answerOf(await answered);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * Asks all in one line: while one answer is on its way the next is worked on.
   * @param isCareful whether each is told of by itself: only then is it certain what the child died of
   * @param answered called for each in order
   * @returns how many that were; if fewer than were asked, the child is dead
   */
  async askEach(
    asked: readonly Asked[],
    isCareful: boolean,
    answered: (at: number, outcome: Outcome) => void,
  ): Promise<number> {
    const many = asked.map(({ sql }) => ({ id: this.#nextId(), ...this.#numbered(sql) }));
    const begun = asked.map(({ deadlineMs, patienceMs }, at) =>
      this.#begin(many[at]?.id ?? -1, deadlineMs, patienceMs),
    );
    for (const { answered: frame } of begun) frame.catch(() => undefined);
    this.#write(encodeFrame({ many, careful: isCareful }));
    for (const [at, { answered: coming, turn }] of begun.entries()) {
      const outcome = await outcomeOf(coming);
      if (outcome === undefined || ('error' in outcome && !this.alive && !isCareful)) return at;
      answered(at, { ...outcome, ms: turn.ms });
      // It may be left with little; it is replaced.
      if ('error' in outcome && outcome.error.code === 'MEMORY') await this.end();
      if (!this.alive && 'error' in outcome) return at + 1;
    }
    return asked.length;
  }

  /** Kills it and waits until it is gone. */
  async end(): Promise<void> {
    this.#kill(new SandboxError('CLOSED', 'the sandbox is closed'));
    await this.#exited;
  }

  #nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /** The text goes there once, if there is room to remember it. */
  #numbered(sql: string): { readonly known: number; readonly sql?: string } {
    const known = this.#known.get(sql);
    if (known !== undefined) return { known };
    if (this.#known.size >= MAX_KNOWN) return { known: 0, sql };
    this.#known.set(sql, this.#known.size + 1);
    return { known: this.#known.size, sql };
  }

  #begin(id: number, deadlineMs: number, patienceMs?: number) {
    const { promise: answered, resolve, reject } = Promise.withResolvers<ChildFrame>();
    const turn: Turn = { id, deadlineMs, patienceMs, resolve, reject, ms: 0 };
    this.#turns.push(turn);
    if (!this.alive) this.#fail(died('it ended between two questions', this.#complaint));
    else if (this.#turns.length === 1) this.#watch();
    return { answered, turn };
  }

  #write(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** The first of the turns is worked on from now; late, the child is killed: nothing less stops a running statement. */
  #watch(): void {
    const [turn] = this.#turns;
    this.#began = performance.now();
    if (turn === undefined) return;
    const { deadlineMs, patienceMs } = turn;
    const { pid } = this.#process;
    if (patienceMs !== undefined && this.#began - this.#worked.at > WORKED_MS) {
      this.#worked = { at: this.#began, ms: workedMs(pid) };
    }
    this.#patience = new Patience({
      deadlineMs,
      patienceMs,
      workedMs: () => workedMs(pid),
      worked: this.#worked.ms,
      tooLate: (how) => {
        this.#kill(
          how === 'DEADLINE'
            ? new SandboxError('DEADLINE', `the question took longer than ${deadlineMs} ms`)
            : new SandboxError('STARVED', 'this machine is too busy to answer now; ask again later'),
        );
      },
    });
  }

  /** So many of the first turns are over. */
  #end(count: number): Turn[] {
    this.#patience?.stop();
    const ended = this.#turns.splice(0, count);
    const ms = ended.length === 0 ? 0 : performance.now() - this.#began;
    this.busyMs += ms;
    for (const turn of ended) turn.ms = ms / ended.length;
    return ended;
  }

  #receive(chunk: Buffer): void {
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end !== -1 && this.alive; end = rest.indexOf(NEWLINE)) {
      this.#chunks.push(rest.subarray(0, end));
      rest = rest.subarray(end + 1);
      if (this.#isTooMuch(end)) break;
      this.#take(Buffer.concat(this.#chunks).toString('utf8'));
      this.#chunks = [];
      this.#bytes = 0;
    }
    if (rest.length > 0 && !this.#isTooMuch(rest.length)) this.#chunks.push(rest);
    this.#tell();
  }

  /** What came in one piece counts only if all of it was in order: one that answers twice is believed nothing. */
  #tell(): void {
    for (const { turn, frame } of this.#told.splice(0)) {
      if (this.#failure === undefined) turn.resolve(frame);
      else turn.reject(this.#failure);
    }
  }

  /** A child that was taken over could fill the parent's memory instead of its own. */
  #isTooMuch(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxLineBytes) return false;
    this.#kill(new SandboxError('CHILD_DIED', 'the sandbox said more than it may; it was ended'));
    return true;
  }

  #take(line: string): void {
    try {
      const frame = parseChildFrame(line);
      const ids = frame.kind === 'nothing' ? frame.ids : [frame.kind === 'ready' ? 0 : frame.id];
      if (ids.some((id, at) => this.#turns[at]?.id !== id)) {
        throw new SandboxError('CHILD_DIED', 'the sandbox answered another question than was asked');
      }
      for (const turn of this.#end(ids.length)) this.#told.push({ turn, frame });
      this.#watch();
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
    this.#failure ??= error;
    for (const { reject } of this.#end(1)) reject(error);
    for (const { reject } of this.#turns.splice(0)) reject(new NotAsked());
  }
}

/** @throws SandboxError of the child */
function answerOf(frame: ChildFrame): Answer {
  if (frame.kind === 'failure') throw frame.error;
  return frame.kind === 'answer' ? frame.answer : NOTHING;
}

/** @returns undefined if it was not asked */
async function outcomeOf(
  answered: Promise<ChildFrame>,
): Promise<{ readonly answer: Answer } | { readonly error: SandboxError } | undefined> {
  try {
    return { answer: answerOf(await answered) };
  } catch (error) {
    if (error instanceof NotAsked) return undefined;
    if (error instanceof SandboxError) return { error };
    throw error;
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
