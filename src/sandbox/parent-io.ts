import { extname, join } from 'node:path';
import { type Asked, Child, cancelled, type Outcome } from './child-process-io.ts';
import { SandboxError } from './errors.ts';
import { CHILD_CPU_SECONDS, type Launch } from './launch.ts';
import { ANSWER_OVERHEAD_BYTES, type Answer, type AnswerLimits, type OpenRequest, type Question } from './protocol.ts';

export type SandboxLimits = AnswerLimits & {
  /** For one question. */
  readonly deadlineMs: number;
  /** For starting a child. */
  readonly startMs: number;
  /** Of the child; above what the runtime itself takes, about 30 MiB. */
  readonly memoryBytes: number;
};

export const DEFAULT_LIMITS: SandboxLimits = {
  rows: 10_000,
  cells: 200_000,
  bytes: 4 * 1024 * 1024,
  deadlineMs: 2000,
  startMs: 20_000,
  memoryBytes: 256 * 1024 * 1024,
};

export type AskOptions = { readonly deadlineMs?: number; readonly signal?: AbortSignal };

/** A place to ask untrusted SQL. Questions queue up; each has one child, which the next shares if it survived. */
export type Sandbox = AsyncDisposable & {
  /**
   * @throws SandboxError SQL_REFUSED, SQL_ERROR, GIVEN_REFUSED, DEADLINE, CANCELLED, MEMORY, TOO_MANY_ROWS,
   *   ANSWER_TOO_LARGE, DATABASE, CHILD_DIED or CLOSED; after any of them the next question is answered
   */
  readonly ask: (question: Question, options?: AskOptions) => Promise<Answer>;
  /** Ends the child; questions that wait fail with CLOSED. */
  readonly close: () => Promise<void>;
};

/** Starts a child this way, and waits until it is ready. @throws SandboxError DATABASE, DEADLINE, CHILD_DIED or CLOSED */
export type BeginChild = (launch: Launch) => Promise<void>;

/** Begins a child, in whatever way works: it may try one after the other. */
export type StartChild = (begin: BeginChild) => Promise<void>;

/** Busy time after which a child is replaced: its CPU time is limited, and must not run out under a question. */
const RECYCLE_AFTER_MS = (CHILD_CPU_SECONDS * 1000) / 2;

/** Questions in one line: a line has a limit. */
const AT_ONCE = 128;

/** Keeps a child for questions, one at a time, and starts the next one when it was killed. Knows no engine. */
export class SandboxParent {
  readonly #open: OpenRequest;
  readonly #limits: SandboxLimits;
  readonly #start: StartChild;
  #child: Child | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(open: OpenRequest, limits: SandboxLimits, start: StartChild) {
    this.#open = open;
    this.#limits = limits;
    this.#start = start;
  }

  ask(question: Question, options: AskOptions): Promise<Answer> {
    return this.#inTurn(() => this.#askNow(question, options));
  }

  /** @see Sandbox.askEach in sandbox-io.ts */
  askEach(asked: readonly Asked[], answered: (at: number, outcome: Outcome) => void): Promise<void> {
    return this.#inTurn(async () => {
      let isCareful = false;
      for (let done = 0; done < asked.length; ) {
        this.#assertOpen();
        const child = await this.#liveChild();
        const [from, some] = [done, asked.slice(done, done + AT_ONCE)];
        done += await child.askEach(some, isCareful, (at, outcome) => answered(from + at, outcome));
        isCareful ||= !child.alive;
      }
    });
  }

  /** Starts the child, unless it lives. */
  ready(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#liveChild();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#child?.end();
    await this.#queue;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #askNow(question: Question, { deadlineMs = this.#limits.deadlineMs, signal }: AskOptions): Promise<Answer> {
    this.#assertOpen();
    if (signal?.aborted === true) throw cancelled();
    const child = await this.#liveChild();
    try {
      return await child.ask(question, deadlineMs, signal);
    } catch (error) {
      // A child that ran out of memory may be left with little; it is replaced.
      if (error instanceof SandboxError && error.code === 'MEMORY') await child.end();
      throw error;
    }
  }

  async #liveChild(): Promise<Child> {
    if (this.#child !== undefined && this.#child.busyMs > RECYCLE_AFTER_MS) await this.#child.end();
    if (this.#child?.alive !== true) await this.#start(this.#begin);
    this.#assertOpen();
    if (this.#child === undefined) throw new SandboxError('CHILD_DIED', 'the sandbox did not start');
    return this.#child;
  }

  readonly #begin: BeginChild = async (launch) => {
    this.#assertOpen();
    // Kept before it is ready, so that closing ends it.
    this.#child = new Child(launch, this.#limits.bytes + ANSWER_OVERHEAD_BYTES);
    await this.#child.start(this.#open, this.#limits.startMs);
  };

  #assertOpen(): void {
    if (this.#closed) throw new SandboxError('CLOSED', 'the sandbox is closed');
  }
}

/** A child's main file beside this one: TypeScript when this runs from source, JavaScript when compiled. */
export function childMain(name: string): string {
  return join(import.meta.dirname, `${name}${extname(import.meta.filename)}`);
}
