import type { EventData } from '../core/event-data.ts';
import { DurableError } from '../durable/errors.ts';
import { hostActor, type NewEntry } from './composer.ts';
import { COLLECTOR_GAP } from './format.ts';
import type { Genesis } from './genesis.ts';

/** Above the quota: for what a log says about itself and how it came to an end. */
const RESERVE_BYTES = 1024 * 1024;
const RESERVED = /^(?:log|clock|collector)\./;

/** The line after which a log goes on that had no room: loss is data. */
export function fullDiskEntry(genesis: Genesis, since: number, now: number): NewEntry {
  const data: EventData['collector.gap'] = {
    cause: 'unavailable',
    from_ts: since,
    to_ts: Math.max(since, now),
    reason: 'the disk of the log was full, or its quota used up: no entry was taken; what was acknowledged is all here',
  };
  return { type: COLLECTOR_GAP, actor: hostActor(genesis), data };
}

export type Refusal = {
  readonly error: DurableError;
  /** Before the first refusal, the entry that says so. */
  readonly told: NewEntry | undefined;
};

/**
 * How many bytes of lines a log may have. At that, intake stops; what the log and its collector say about themselves
 * still fits. Room is made by dropping old lines, which needs the log closed.
 */
export class Quota {
  readonly #genesis: Genesis;
  readonly #bytes: number;
  readonly #now: () => number;
  #used: number;
  #isTold = false;

  /**
   * @param bytes of lines with their newlines
   * @param used by the lines that are there
   */
  constructor(genesis: Genesis, bytes: number, used: number, now: () => number) {
    this.#genesis = genesis;
    this.#bytes = bytes;
    this.#used = used;
    this.#now = now;
  }

  /** Bytes that became durable. */
  used(bytes: number): void {
    this.#used += bytes;
  }

  /** @param queued bytes on their way to the disk */
  refuses({ type }: NewEntry, queued: number): Refusal | undefined {
    const limit = RESERVED.test(type) ? this.#bytes + RESERVE_BYTES : this.#bytes;
    if (this.#used + queued < limit) return undefined;
    const message = `the log's quota of ${this.#bytes} bytes is used up; drop old lines (ledger prune) or raise it`;
    const told = this.#isTold || this.#used + queued >= this.#bytes + RESERVE_BYTES ? undefined : this.#entry();
    this.#isTold = true;
    return { error: new DurableError('NO_SPACE', message), told };
  }

  #entry(): NewEntry {
    const reason = `the log's quota of ${this.#bytes} bytes is used up: from here on no entry is taken`;
    const data: EventData['collector.gap'] = { cause: 'limit', from_ts: this.#now(), reason };
    return { type: COLLECTOR_GAP, actor: hostActor(this.#genesis), data };
  }
}
