import { statfsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DurableError } from '../durable/errors.ts';
import { isFull } from './store/fold-io.ts';

const PAUSE_MS = 1000;
/** With less than this it is full: a collector may be waiting for room that the agent has no need of yet. */
const LITTLE_BYTES = 64 * 1024;
/** With this much there is room again. */
const ENOUGH_BYTES = 1024 * 1024;

export type RoomOptions = {
  /** The data directory. */
  readonly data: string;
  readonly now: () => number;
  /** There is no room any more: for people, who alone can make some. */
  readonly full: () => void;
  /** There is room again; it was full from then on. */
  readonly again: (since: number) => void;
};

/**
 * The room on the disk of the data directory. Work that finds none waits until there is some: intake stops meanwhile,
 * and nothing that was acknowledged is lost.
 */
export class Room {
  readonly #options: RoomOptions;
  readonly #closed = new AbortController();
  #since: number | undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** The agent ends: from now on what finds no room fails. */
  close(): void {
    this.#closed.abort();
  }

  /** Looks how much there is: for those who wait for it without a word. */
  look(): void {
    if (this.#free() < LITTLE_BYTES) this.#lacked();
    else this.#found();
  }

  /** @throws DurableError NO_SPACE if there is none now */
  assert(): void {
    this.look();
    if (this.#since === undefined) return;
    throw new DurableError('NO_SPACE', 'the disk is full: what was seen last may not be written; free some space');
  }

  /**
   * Does it, and on a full disk again until there is room.
   * @throws DurableError NO_SPACE once it is closed; what it throws for other reasons
   */
  async when<T>(work: () => T | Promise<T>): Promise<T> {
    for (;;) {
      try {
        const done = await work();
        this.#found();
        return done;
      } catch (error) {
        if (!isNoRoom(error)) throw error;
        this.#lacked();
        const { signal } = this.#closed;
        if (signal.aborted) throw asDurableError(error);
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Does it if there is room; else it can wait for its next turn. @throws what it throws for other reasons */
  ifAny(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      this.#lacked();
    }
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.#options.data);
    return bavail * bsize;
  }

  #lacked(): void {
    if (this.#since !== undefined) return;
    this.#since = this.#options.now();
    this.#options.full();
  }

  #found(): void {
    const since = this.#since;
    if (since === undefined || this.#free() < ENOUGH_BYTES) return;
    this.#since = undefined;
    this.#options.again(since);
  }
}

function asDurableError(cause: unknown): DurableError {
  if (cause instanceof DurableError) return cause;
  const message = 'the event store found no space on its disk; it is made up from the logs at the next start';
  return new DurableError('NO_SPACE', message, { cause });
}

function isNoRoom(error: unknown): boolean {
  return isFull(error) || (error instanceof DurableError && error.code === 'NO_SPACE');
}
