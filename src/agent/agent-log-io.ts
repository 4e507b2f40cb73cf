import { validateEvent } from '../core/event.ts';
import type { EventData, EventType } from '../core/event-data.ts';
import type { PrivateKey } from '../core/keys.ts';
import type { JsonObject } from '../core/strict-json.ts';
import { createDirectoryDurably } from '../durable/files-io.ts';
import type { Appended } from '../ledger/committer-io.ts';
import type { Surroundings } from '../ledger/composer.ts';
import { type Actor, type Line, parseLine } from '../ledger/line.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { type LedgerWriter, openLedgerWriter } from '../ledger/writer-io.ts';
import { AGENT } from './format.ts';
import type { Room } from './room-io.ts';
import type { EventStore, IncomingLine } from './store/event-store-io.ts';
import type { StoredLine } from './store/rows.ts';

const CATCH_UP_LINES = 512;

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
  room: Room,
  took: (lines: readonly StoredLine[]) => void,
  to = Number.MAX_SAFE_INTEGER,
): Promise<void> {
  using reader = await openLedgerReader(directory);
  const { host, origin } = reader.genesis;
  const end = Math.min(to, reader.size);
  let seq = store.position(origin);
  let waiting: IncomingLine[] = [];
  const flush = async () => {
    const lines = waiting;
    took((await room.when(() => store.take(host, origin, lines))).taken);
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

/** The agent's own ledger, and the store beside it: what is durable in the one is in the other when `append` resolves. */
export class AgentLog implements AsyncDisposable {
  readonly #writer: LedgerWriter;
  readonly #store: EventStore;
  readonly #room: Room;
  readonly #actor: Actor;
  #stored: Promise<unknown> = Promise.resolve();

  private constructor(writer: LedgerWriter, store: EventStore, room: Room) {
    this.#writer = writer;
    this.#store = store;
    this.#room = room;
    this.#actor = { type: 'process', id: AGENT };
  }

  /** @throws LedgerError; DurableError */
  static async open(
    directory: string,
    key: PrivateKey,
    surroundings: Surroundings & { readonly quota: number },
    store: EventStore,
    room: Room,
  ): Promise<AgentLog> {
    const writer = await openLedgerWriter({ directory, key, ...surroundings });
    return new AgentLog(writer, store, room);
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
    const entry = { type, actor: this.#actor, data: data as unknown as JsonObject };
    const appending = this.#room.when(() => this.#writer.append(entry));
    // Into the store in the order of the log, whichever promise settles first.
    const turn = this.#stored.then(async () => {
      const appended = await appending;
      await this.#room.when(() => this.#store.take(this.host, this.origin, [appended]));
      return appended;
    });
    appending.catch(() => undefined);
    this.#stored = turn.catch(() => undefined);
    return await turn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stored;
    await this.#writer.close();
  }
}
