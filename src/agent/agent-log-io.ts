import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { validateEvent } from '../core/event.ts';
import type { EventData, EventType } from '../core/event-data.ts';
import type { PrivateKey } from '../core/keys.ts';
import type { JsonObject } from '../core/strict-json.ts';
import { formatTime } from '../core/time.ts';
import { DurableError } from '../durable/errors.ts';
import { createDirectoryDurably } from '../durable/files-io.ts';
import { INSTALL_LOG_HASH, originOf } from '../install/host-io.ts';
import type { Appended } from '../ledger/committer-io.ts';
import type { Surroundings } from '../ledger/composer.ts';
import { createLedger } from '../ledger/create-io.ts';
import { GENESIS_FILE } from '../ledger/format.ts';
import { type Actor, type Line, parseLine } from '../ledger/line.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { type LedgerWriter, openLedgerWriter } from '../ledger/writer-io.ts';
import { AGENT } from './format.ts';
import type { EventStore, IncomingLine } from './store/event-store-io.ts';
import { isFull } from './store/fold-io.ts';
import type { StoredLine } from './store/rows.ts';

const FULL_DISK_PAUSE_MS = 1000;
const CATCH_UP_LINES = 512;

/** A host's logs are made when they are first needed, signed by the host's key. */
export function ensureLog(directory: string, host: string, name: string, key: PrivateKey, now: number): void {
  if (existsSync(join(directory, GENESIS_FILE))) return;
  const createdAt = formatTime(now);
  createLedger({ directory, host, origin: originOf(host, name), hash: INSTALL_LOG_HASH, key, createdAt });
}

/** A directory that only this user may look into. */
export function ensureDirectory(path: string): void {
  createDirectoryDurably(path, { mode: 0o700 });
}

/** The last line that a log's head covers. @throws LedgerError; DurableError */
export async function lastLine(directory: string): Promise<Line | undefined> {
  using reader = await openLedgerReader(directory);
  return reader.size === 0 ? undefined : parseLine(await reader.line(reader.size - 1));
}

/**
 * Takes what a log has and the store has not, up to `to` or its signed head.
 * @param took called after each stretch, in order
 * @throws LedgerError; DurableError
 */
export async function catchUp(
  directory: string,
  store: EventStore,
  took: (lines: readonly StoredLine[]) => void,
  to = Number.MAX_SAFE_INTEGER,
): Promise<void> {
  using reader = await openLedgerReader(directory);
  const { host, origin } = reader.genesis;
  const end = Math.min(to, reader.size);
  let seq = store.position(origin);
  let waiting: IncomingLine[] = [];
  const flush = async () => {
    took(await takeWhenRoom(store, host, origin, waiting));
    waiting = [];
  };
  if (seq >= end) return;
  for await (const line of reader.lines(seq, end)) {
    waiting.push({ seq, line });
    seq += 1;
    if (waiting.length >= CATCH_UP_LINES) await flush();
  }
  await flush();
}

/**
 * {@link EventStore.take}, and on a full disk again until there is room: intake stops meanwhile, and nothing that was
 * acknowledged is lost.
 */
export async function takeWhenRoom(
  store: EventStore,
  host: string,
  origin: string,
  lines: readonly IncomingLine[],
): Promise<StoredLine[]> {
  for (;;) {
    try {
      return store.take(host, origin, lines).taken;
    } catch (error) {
      if (!isFull(error)) throw error;
      await sleep(FULL_DISK_PAUSE_MS);
    }
  }
}

/** The agent's own ledger, and the store beside it: what is durable in the one is in the other when `append` resolves. */
export class AgentLog implements AsyncDisposable {
  readonly #writer: LedgerWriter;
  readonly #store: EventStore;
  readonly #actor: Actor;
  #stored: Promise<unknown> = Promise.resolve();

  private constructor(writer: LedgerWriter, store: EventStore) {
    this.#writer = writer;
    this.#store = store;
    this.#actor = { type: 'process', id: AGENT };
  }

  /** @throws LedgerError; DurableError */
  static async open(
    directory: string,
    key: PrivateKey,
    surroundings: Surroundings,
    store: EventStore,
  ): Promise<AgentLog> {
    const writer = await openLedgerWriter({ directory, key, ...surroundings });
    return new AgentLog(writer, store);
  }

  get origin(): string {
    return this.#writer.genesis.origin;
  }

  get host(): string {
    return this.#writer.genesis.host;
  }

  get size(): number {
    return this.#writer.size;
  }

  head(): ReturnType<LedgerWriter['head']> {
    return this.#writer.head();
  }

  /**
   * Writes an event. A full disk makes it wait until there is room: what was raised is not lost.
   * @throws LedgerError LEDGER_STOPPED, LEDGER_CLOSED or LINE_TOO_LONG; CoreError SCHEMA_MISMATCH
   */
  async append<T extends EventType>(type: T, data: EventData[T]): Promise<Appended> {
    validateEvent(type, data);
    const appending = this.#whenRoom(type, data as unknown as JsonObject);
    // Into the store in the order of the log, whichever promise settles first.
    const turn = this.#stored.then(async () => {
      const appended = await appending;
      await takeWhenRoom(this.#store, this.host, this.origin, [appended]);
      return appended;
    });
    appending.catch(() => undefined);
    this.#stored = turn.catch(() => undefined);
    return await turn;
  }

  async #whenRoom(type: string, data: JsonObject): Promise<Appended> {
    for (;;) {
      try {
        return await this.#writer.append({ type, actor: this.#actor, data });
      } catch (error) {
        if (!(error instanceof DurableError) || error.code !== 'NO_SPACE') throw error;
        await sleep(FULL_DISK_PAUSE_MS);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stored;
    await this.#writer.close();
  }
}
