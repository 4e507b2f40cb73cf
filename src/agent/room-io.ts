import { setTimeout as sleep } from 'node:timers/promises';
import { DurableError } from '../durable/errors.ts';
import { isFull } from './store/fold-io.ts';

const PAUSE_MS = 1000;

export type RoomOptions = {
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
  #since: number | undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** Does it, and on a full disk again until there is room. @throws what it throws for other reasons */
  async when<T>(work: () => T | Promise<T>): Promise<T> {
    for (;;) {
      try {
        const done = await work();
        this.#found();
        return done;
      } catch (error) {
        if (!isNoRoom(error)) throw error;
        this.#lacked();
        await sleep(PAUSE_MS);
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

  #lacked(): void {
    if (this.#since !== undefined) return;
    this.#since = this.#options.now();
    this.#options.full();
  }

  #found(): void {
    const since = this.#since;
    if (since === undefined) return;
    this.#since = undefined;
    this.#options.again(since);
  }
}

function isNoRoom(error: unknown): boolean {
  return isFull(error) || (error instanceof DurableError && error.code === 'NO_SPACE');
}
