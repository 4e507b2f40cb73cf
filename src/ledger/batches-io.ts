import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Thread } from '../threads/thread-io.ts';
import type { BatchJob } from './batch-thread-io.ts';
import type { BatchContext, PlainBatch } from './line-batch.ts';
import type { Place, WalkedLine } from './place.ts';

/** Lines of a walk, and, if there is nothing to say about them one by one, what they come to together. */
export type Batch = {
  readonly plain: (PlainBatch & { readonly lastPlace: Place }) | undefined;
  /** Good until the next batch is asked for. */
  readonly lines: () => readonly WalkedLine[];
};

type Pending = {
  readonly room: SharedArrayBuffer;
  readonly walked: readonly Walked[];
  readonly answer: Answer;
  answered: boolean;
};
type Answer = Promise<PlainBatch | undefined>;

/** Each has a heap of its own, of some ten megabytes. */
const MOST_THREADS = 16;
/** So that no thread waits for this one. */
const JOBS_EACH = 3;

/**
 * Looks at signed lines on other cores: a signature takes as long as fifty lines without one. The batches come out in their order, each with the very bytes that were
 * looked at. A thread that dies takes no line with it: its batches come out as if they had something to say.
 */
export class Batches implements AsyncDisposable {
  readonly #context: BatchContext;
  readonly #threads: Thread<BatchJob, PlainBatch | undefined>[] = [];
  readonly #most: number;
  /** Rooms that wait for lines. */
  readonly #rooms: SharedArrayBuffer[] = [];

  private constructor(context: BatchContext, most: number) {
    this.#context = context;
    this.#most = most;
  }

  /** Undefined where there is no second core. No thread is started before there is a signature to check. */
  static on(context: BatchContext, cores = availableParallelism()): Batches | undefined {
    return cores < 2 ? undefined : new Batches(context, Math.min(cores, MOST_THREADS));
  }

  /** @param walk as `walkEntries`: whole batches of lines, at most the last with a flaw */
  async *of(walk: Iterable<readonly WalkedLine[]>): AsyncGenerator<Batch, void, undefined> {
    const pending: Pending[] = [];
    for (const walked of walk) {
      // Hashing alone is not worth the way there and back.
      if (pending.length === 0 && (!mayBeSigned(walked) || !this.#isAtWork())) {
        yield { plain: undefined, lines: () => walked };
        continue;
      }
      pending.push(this.#give(walked));
      if (pending.length >= this.#threads.length * JOBS_EACH) {
        // The oldest has to be waited for, with all threads at work: another one helps.
        if (pending[0]?.answered === false && this.#threads.length < this.#most) this.#add();
        yield* this.#next(pending);
      }
    }
    while (pending.length > 0) yield* this.#next(pending);
  }

  async *#next(pending: Pending[]): AsyncGenerator<Batch, void, undefined> {
    const oldest = pending.shift();
    if (oldest === undefined) return;
    const { room, walked } = oldest;
    const plain = await oldest.answer;
    const lastPlace = walked.at(-1)?.place;
    const both = plain && lastPlace && { ...plain, lastPlace };
    yield { plain: both, lines: () => linesIn(room, walked) };
    this.#rooms.push(room);
  }

  #give(walked: readonly WalkedLine[]): Pending {
    const needed = walked.reduce((sum, { bytes }) => sum + bytes.length + 1, 0);
    const room = this.#room(needed);
    const bytes = new Uint8Array(room);
    let length = 0;
    for (const line of walked) {
      bytes.set(line.bytes, length);
      length += line.bytes.length;
      bytes[length] = 0x0a;
      length += 1;
    }
    const firstSeq = walked[0]?.place.seq ?? 0;
    const flawed = walked.some(({ flaw }) => flaw !== undefined);
    const answer: Answer = flawed ? Promise.resolve(undefined) : this.#ask({ room, length, firstSeq });
    const given = { room, walked: walked.map(({ bytes, ...line }) => ({ ...line, length: bytes.length })), answer };
    const pending: Pending = { ...given, answered: false };
    void answer.then(() => {
      pending.answered = true;
    });
    return pending;
  }

  async #ask(job: BatchJob): Answer {
    const alive = this.#threads.filter((thread) => thread.alive);
    const [idlest] = alive.sort((a, b) => a.pending - b.pending);
    // Whatever became of the thread, the lines are still here, and get taken one by one.
    return idlest?.run(job).catch(() => undefined);
  }

  #room(needed: number): SharedArrayBuffer {
    const room = this.#rooms.pop();
    return room !== undefined && room.byteLength >= needed ? room : new SharedArrayBuffer(Math.max(needed, ROOM_BYTES));
  }

  #isAtWork(): boolean {
    return this.#threads.length === 0 ? this.#add() : this.#threads.some(({ alive }) => alive);
  }

  #add(): boolean {
    const main = join(import.meta.dirname, 'batch-thread-io');
    const thread = Thread.start<BatchJob, PlainBatch | undefined>(main, { context: this.#context, cores: this.#most });
    if (thread !== undefined) this.#threads.push(thread);
    return thread !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }
}

/** A batch of `scanLines` and the longest line. */
const ROOM_BYTES = 256 * 1024;

const SIGNATURE = '"sig":"';

/** Whether a line has a signature, or something that looks like one. The lines of a batch lie in one piece. */
function mayBeSigned(walked: readonly WalkedLine[]): boolean {
  const [first, last] = [walked[0]?.bytes, walked.at(-1)?.bytes];
  if (first === undefined || last === undefined || first.buffer !== last.buffer) return false;
  const length = last.byteOffset + last.length - first.byteOffset;
  return Buffer.from(first.buffer, first.byteOffset, length).includes(SIGNATURE);
}

/** What a walk says of a line, without the bytes, whose memory it uses again. */
type Walked = Omit<WalkedLine, 'bytes'> & { readonly length: number };

/** The lines with copies of their bytes: not everything takes shared memory. */
function linesIn(room: SharedArrayBuffer, walked: readonly Walked[]): readonly WalkedLine[] {
  let from = 0;
  return walked.map(({ length, ...line }) => {
    const bytes = new Uint8Array(room, from, length).slice();
    from += length + 1;
    return { ...line, bytes };
  });
}
