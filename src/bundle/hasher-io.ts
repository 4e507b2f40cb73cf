import { join } from 'node:path';
import { ThreadError } from '../threads/errors.ts';
import { Thread } from '../threads/thread-io.ts';
import { type HashJob, hashStretch } from './hash-thread-io.ts';

/**
 * Hashes what was written to open files, by reading it back, on another core while this one goes on. A dead thread
 * costs time, never an answer: this thread then reads the file itself.
 */
export class Hasher {
  readonly #thread: Thread<HashJob, string>;
  #closed = false;

  private constructor(thread: Thread<HashJob, string>) {
    this.#thread = thread;
  }

  /** Undefined where there is no second core to use. */
  static start(cores?: number): Hasher | undefined {
    const thread = Thread.start<HashJob, string>(join(import.meta.dirname, 'hash-thread-io'), { cores });
    return thread && new Hasher(thread);
  }

  /** Whether a job given now would begin at once. */
  get idle(): boolean {
    return this.#thread.alive && this.#thread.pending === 0;
  }

  /**
   * SHA-256 in hex. The file stays open until this settles.
   * @throws ThreadError THREAD_ENDED after {@link close}; whatever reading throws
   */
  async sha256(job: HashJob): Promise<string> {
    try {
      return await this.#thread.run(job);
    } catch (cause) {
      if (this.#closed || !(cause instanceof ThreadError)) throw cause;
      return hashStretch(job);
    }
  }

  /** What it has not hashed it never will. When this resolves, no file is being read any more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#thread.close();
  }
}
