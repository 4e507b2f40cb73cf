import { findPackageJSON } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { Child, cancelled } from './child-process-io.ts';
import { duckdbLaunch } from './duckdb-launch.ts';
import type { DuckdbOpenRequest } from './duckdb-request.ts';
import { SandboxError } from './errors.ts';
import { type FenceName, fencesFor } from './fence.ts';
import { fenceTools } from './fence-io.ts';
import { CHILD_CPU_SECONDS } from './launch.ts';
import { ANSWER_OVERHEAD_BYTES, type Answer, type OpenRequest, type Question } from './protocol.ts';
import { type AskOptions, DEFAULT_LIMITS, type Sandbox, type SandboxLimits } from './sandbox-io.ts';

const MIB = 1024 * 1024;

export type DuckdbLimits = SandboxLimits & {
  /** DuckDB's own limit, below `memoryBytes`: the nicer of two ways to be stopped. */
  readonly engineMemoryBytes: number;
};

export const DUCKDB_LIMITS: DuckdbLimits = {
  ...DEFAULT_LIMITS,
  deadlineMs: 10_000,
  memoryBytes: 1024 * MIB,
  engineMemoryBytes: 512 * MIB,
};

export type DuckdbSandboxOptions = {
  /** Absolute path of the database of a case. Readable by others: behind the fence the child is nobody. */
  readonly database: string;
  readonly limits?: Partial<DuckdbLimits>;
  /** Only this fence; default: the best that works here. */
  readonly fence?: FenceName;
};

/** A place to ask untrusted SQL about a case. */
export type DuckdbSandbox = Sandbox & {
  /** The fence that its child is behind; starts one to find out. @throws SandboxError DATABASE, DEADLINE or CHILD_DIED */
  readonly fence: () => Promise<FenceName>;
};

/** Starts nothing yet: the first question does. */
export function createDuckdbSandbox(options: DuckdbSandboxOptions): DuckdbSandbox {
  const parent = new DuckdbParent(options);
  const close = () => parent.close();
  return {
    ask: (question, ask) => parent.ask(question, ask ?? {}),
    fence: () => parent.fence(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The fence that held when it was last tried: what doesn't work here is tried once. */
let provenFence: FenceName | undefined;

/** Busy time after which a child is replaced: its CPU time is limited, and must not run out under a question. */
const RECYCLE_AFTER_MS = (CHILD_CPU_SECONDS * 1000) / 2;

class DuckdbParent {
  readonly #options: DuckdbSandboxOptions;
  readonly #limits: DuckdbLimits;
  #child: Child | undefined;
  #fence: FenceName = 'none';
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: DuckdbSandboxOptions) {
    this.#options = options;
    this.#limits = { ...DUCKDB_LIMITS, ...options.limits };
  }

  ask(question: Question, options: AskOptions): Promise<Answer> {
    return this.#inTurn(() => this.#askNow(question, options));
  }

  fence(): Promise<FenceName> {
    return this.#inTurn(async () => {
      await this.#liveChild();
      return this.#fence;
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
    this.#assertOpen();
    if (this.#child !== undefined && this.#child.busyMs > RECYCLE_AFTER_MS) await this.#child.end();
    if (this.#child?.alive !== true) await this.#start();
    this.#assertOpen();
    if (this.#child === undefined) throw new SandboxError('CHILD_DIED', 'the sandbox did not start');
    return this.#child;
  }

  /** Tries the fences, best first. Nobody's SQL has run yet, so a child that dies here dies of its fence. */
  async #start(): Promise<void> {
    const tools = fenceTools();
    const { fence = provenFence } = this.#options;
    const fences = fence === undefined ? fencesFor(process.platform, tools) : [fence];
    for (const [i, name] of fences.entries()) {
      this.#child = new Child(
        duckdbLaunch({
          execPath: process.execPath,
          platform: process.platform,
          main: childMain(),
          packages: duckdbPackages(),
          database: this.#options.database,
          memoryBytes: this.#limits.memoryBytes,
          fence: name,
          tools,
        }),
        this.#limits.bytes + ANSWER_OVERHEAD_BYTES,
      );
      try {
        await this.#child.start(this.#request(), this.#limits.startMs);
        this.#fence = name;
        if (this.#options.fence === undefined) provenFence = name;
        return;
      } catch (error) {
        const ofFence = error instanceof SandboxError && error.code === 'CHILD_DIED';
        if (!ofFence || this.#closed || i === fences.length - 1) throw error;
      }
    }
  }

  #request(): OpenRequest {
    const { rows, cells, bytes, engineMemoryBytes } = this.#limits;
    const request: DuckdbOpenRequest = {
      engine: 'duckdb',
      place: 'case',
      database: this.#options.database,
      limits: { rows, cells, bytes },
      engineMemoryBytes,
    };
    return request as unknown as OpenRequest;
  }

  #assertOpen(): void {
    if (this.#closed) throw new SandboxError('CLOSED', 'the sandbox is closed');
  }
}

/** The child's main file beside this one: TypeScript when this runs from source, JavaScript when compiled. */
function childMain(): string {
  return join(import.meta.dirname, `duckdb-child-io${extname(import.meta.filename)}`);
}

function duckdbPackages(): string {
  const file = findPackageJSON('@duckdb/node-api', import.meta.url);
  if (file === undefined) throw new SandboxError('CHILD_DIED', 'DuckDB is not installed; install the program again');
  return dirname(dirname(file));
}
