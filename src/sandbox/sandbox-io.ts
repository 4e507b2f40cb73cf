import { extname, isAbsolute, join } from 'node:path';
import type { Place } from '../core/tables.ts';
import { Child, cancelled } from './child-process-io.ts';
import { SandboxError } from './errors.ts';
import { CHILD_CPU_SECONDS, type Launch, launchOf } from './launch.ts';
import {
  ANSWER_OVERHEAD_BYTES,
  type Answer,
  type AnswerLimits,
  type EngineName,
  type OpenRequest,
  type Question,
} from './protocol.ts';

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

export type SandboxOptions = {
  readonly engine?: EngineName;
  /** Which tables of the contract there are; default `agent`. */
  readonly place?: Place;
  /**
   * Absolute path of a database to read; without it each question brings its own rows. In WAL mode its writer must
   * have it open: the child can't make the shared-memory file.
   */
  readonly database?: string;
  readonly limits?: Partial<SandboxLimits>;
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

/** Starts nothing yet: the first question does. @throws SandboxError DATABASE for a path that can't be granted */
export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const parent = new SandboxParent(options);
  const close = () => parent.close();
  return { ask: (question, ask) => parent.ask(question, ask ?? {}), close, [Symbol.asyncDispose]: close };
}

/** Busy time after which a child is replaced: its CPU time is limited, and must not run out under a question. */
const RECYCLE_AFTER_MS = (CHILD_CPU_SECONDS * 1000) / 2;

class SandboxParent {
  readonly #limits: SandboxLimits;
  readonly #open: OpenRequest;
  #child: Child | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor({ engine = 'sqlite', place = 'agent', database, limits }: SandboxOptions) {
    // A star in a path would be a wildcard of the permission that names it.
    if (database !== undefined && (!isAbsolute(database) || database.includes('*'))) {
      throw new SandboxError('DATABASE', 'the database to read must be an absolute path without a star in it');
    }
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    const { rows, cells, bytes } = this.#limits;
    this.#open = { engine, place, limits: { rows, cells, bytes }, ...(database === undefined ? {} : { database }) };
  }

  ask(question: Question, options: AskOptions): Promise<Answer> {
    const turn = this.#queue.then(() => this.#askNow(question, options));
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#child?.end();
    await this.#queue;
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
    if (this.#child?.alive !== true) {
      this.#child = new Child(this.#launch(), this.#limits.bytes + ANSWER_OVERHEAD_BYTES);
      await this.#child.start(this.#open, this.#limits.startMs);
      this.#assertOpen();
    }
    return this.#child;
  }

  #launch(): Launch {
    return launchOf({
      execPath: process.execPath,
      platform: process.platform,
      main: childMain(),
      databases: this.#open.database === undefined ? [] : [this.#open.database],
      memoryBytes: this.#limits.memoryBytes,
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw new SandboxError('CLOSED', 'the sandbox is closed');
  }
}

/** The child's main file beside this one: TypeScript when this runs from source, JavaScript when compiled. */
function childMain(): string {
  return join(import.meta.dirname, `child-io${extname(import.meta.filename)}`);
}
