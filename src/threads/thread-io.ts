import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { type Transferable, Worker } from 'node:worker_threads';
import { messageOf } from '../core/errors.ts';
import { ThreadError } from './errors.ts';

type Waiting<Answer> = { readonly resolve: (answer: Answer) => void; readonly reject: (reason: ThreadError) => void };

/** Threads here compute on bytes they are given; what they keep is little. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 };

/**
 * A thread that does one kind of work, job after job in the order they came. It is only ever a help: where there is
 * none, or it dies, whoever asked does the work itself, so that no answer depends on it.
 */
export class Thread<Job, Answer> implements AsyncDisposable {
  readonly #worker: Worker;
  /** Answers come in the order of the jobs. */
  readonly #waiting: Waiting<Answer>[] = [];
  #ended: ThreadError | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (answer: Answer) => this.#waiting.shift()?.resolve(answer));
    // What it says of an answer that could not be read, or of its own death.
    worker.on('messageerror', (cause) => this.#end(cause));
    worker.on('error', (cause) => this.#end(cause));
    worker.on('exit', () => this.#end(undefined));
    // Nobody's process waits for a thread: who wants an answer waits for the answer.
    worker.unref();
  }

  /**
   * Starts a thread, unless there is only one core to run on, or this process may not have threads (the permission
   * model, limits of the system).
   * @param main path of its main file, without extension: beside the caller, TypeScript or compiled as that is
   * @param options.context what the thread gets as its `workerData`
   * @param options.cores default: those of this machine
   */
  static start<Job, Answer>(
    main: string,
    {
      context,
      cores = availableParallelism(),
    }: { readonly context?: unknown; readonly cores?: number | undefined } = {},
  ): Thread<Job, Answer> | undefined {
    if (cores < 2) return undefined;
    try {
      const file = `${main}${extname(import.meta.filename)}`;
      // Neither options nor environment of this process: they may preload code, or ask for a profile.
      const options = { resourceLimits: RESOURCE_LIMITS, execArgv: [], env: {}, stdin: false };
      const worker = new Worker(file, { ...options, workerData: context });
      return new Thread<Job, Answer>(worker);
    } catch {
      return undefined;
    }
  }

  /** Jobs given and not answered yet. */
  get pending(): number {
    return this.#waiting.length;
  }

  /** Whether jobs given now can still be answered. */
  get alive(): boolean {
    return this.#ended === undefined;
  }

  /**
   * The answer to a job.
   * @param moved buffers that go to the thread instead of being copied
   * @throws ThreadError THREAD_ENDED; the job is then to be done without the thread
   */
  run(job: Job, moved: readonly Transferable[] = []): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (this.#ended !== undefined) {
      reject(this.#ended);
      return promise;
    }
    this.#waiting.push({ resolve, reject });
    this.#worker.ref();
    promise.then(this.#rest, this.#rest);
    this.#worker.postMessage(job, [...moved]);
    return promise;
  }

  /** Ends the thread; when this resolves it touches nothing any more. What it has not answered it never will. */
  async close(): Promise<void> {
    this.#end(undefined);
    await this.#worker.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #rest = (): void => {
    if (this.#waiting.length === 0) this.#worker.unref();
  };

  #end(cause: unknown): void {
    const why = cause === undefined ? 'it was ended' : messageOf(cause);
    this.#ended ??= new ThreadError('THREAD_ENDED', `a thread of this program ended: ${why}; run it again`, { cause });
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}
