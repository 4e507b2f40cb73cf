import { decodeUtf8, encodeBase64 } from '../../core/bytes.ts';
import { verifyCheckpoint } from '../../core/checkpoint.ts';
import { messageOf } from '../../core/errors.ts';
import type { PublicKey } from '../../core/keys.ts';
import { INSTALL_LOG_HASH } from '../../install/host-io.ts';
import type { Checkpoint, EventBatch, Gap, Hello, LoggedEvent } from '../../ipc/gen/ipc_pb.ts';
import { LedgerError } from '../../ledger/errors.ts';
import { type AgentLog, catchUp } from '../agent-log-io.ts';
import type { Detector } from '../detect/detector-io.ts';
import { AgentError } from '../errors.ts';
import { AGENT, CLEAR_WINDOW_MS, MAX_COMMAND_LINE } from '../format.ts';
import type { Room } from '../room-io.ts';
import type { EventStore } from '../store/event-store-io.ts';
import type { StoredLine } from '../store/rows.ts';
import type { VolatileStore } from '../store/volatile-io.ts';

export type FeedOptions = {
  readonly name: string;
  readonly host: string;
  readonly origin: string;
  /** Its log's directory. */
  readonly directory: string;
  readonly key: PublicKey;
  readonly log: AgentLog;
  readonly room: Room;
  readonly store: EventStore;
  readonly volatile: VolatileStore;
  readonly detector: Detector;
  readonly now: () => number;
  /** Lines that were in its log and not in the store when the agent began. */
  readonly missed: readonly StoredLine[];
  /** The agent's own log can't be written. */
  readonly failed: (error: unknown) => void;
  /** Resolves when the rules are there. */
  readonly rulesLoaded: () => Promise<void>;
};

/**
 * From a collector's lines to the stores and the rules. The collector's log is the truth: what was not sent, because
 * one of the two was not running or didn't keep up, is read there.
 */
export class CollectorFeed {
  readonly #options: FeedOptions;
  #anchored = -1;
  #shed = 0;
  #telling = false;
  #missed: readonly StoredLine[];

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#missed = options.missed;
  }

  /**
   * A collector said hello: takes in what it wrote while nobody listened.
   * @throws AgentError COLLECTOR if it is not ours, or its log was cut back
   */
  async admit({ collector, host, logOrigin, logSize }: Hello): Promise<void> {
    const { name, origin, store, detector, volatile, rulesLoaded } = this.#options;
    if (collector !== name || host !== this.#options.host || logOrigin !== origin) {
      throw new AgentError('COLLECTOR', 'it is the collector of another host or log', { fault: 'untrusted' });
    }
    const known = store.position(origin);
    if (Number(logSize) < known) {
      const message = `its log has ${logSize} lines, but ${known} were taken from it before: it was cut back`;
      throw new AgentError('COLLECTOR', message, { fault: 'tampered' });
    }
    // Whether what was alive still is, nobody knows: the collector is about to tell. Until then rules see what it left.
    volatile.reset();
    const missed = this.#missed.length > 0 || known < Number(logSize);
    this.#took(this.#missed);
    this.#missed = [];
    await this.#readLog(Number(logSize));
    if (missed) await rulesLoaded();
    await detector.settled();
    volatile.reset();
  }

  /** @returns the last line that is in the store now @throws AgentError COLLECTOR for what is no line of a log */
  async events({ events, firstSeq, lastSeq }: EventBatch): Promise<bigint> {
    const { room, store, host, origin } = this.#options;
    if (Number(firstSeq) > store.position(origin)) await this.#readLog(Number(firstSeq));
    try {
      const lines = events.map((event) => ({ seq: Number(event.seq), line: event.line, command: commandOf(event) }));
      this.#took((await room.when(() => store.take(host, origin, lines))).taken);
    } catch (cause) {
      if (!(cause instanceof LedgerError)) throw cause;
      throw new AgentError('COLLECTOR', `it sent something that is not a line of its log: ${messageOf(cause)}`, {
        cause,
      });
    }
    return lastSeq;
  }

  /** @returns the last line that is in the store now */
  async gap({ lastSeq }: Gap): Promise<bigint> {
    await this.#readLog(Number(lastSeq) + 1);
    return lastSeq;
  }

  /** Keeps its head in our log: so neither can be rolled back alone. @throws AgentError COLLECTOR if it is not its own */
  async checkpoint({ note }: Checkpoint): Promise<void> {
    const { key, origin, log } = this.#options;
    try {
      const { size, root } = verifyCheckpoint(note, { key, hash: INSTALL_LOG_HASH, origin });
      if (size <= this.#anchored) return;
      this.#anchored = size;
      await log.append('log.anchor', { origin, size, root: encodeBase64(root), note: decodeUtf8(note) });
    } catch (cause) {
      if (cause instanceof LedgerError) throw cause;
      throw new AgentError('COLLECTOR', `its checkpoint is not of its log: ${messageOf(cause)}`, { cause });
    }
  }

  /** What is in the log and not in the store, without arguments: those are gone. */
  async #readLog(to: number): Promise<void> {
    const { directory, store, room } = this.#options;
    await catchUp(directory, store, room, (lines) => this.#took(lines), to);
  }

  #took(lines: readonly StoredLine[]): void {
    const { volatile, detector, now } = this.#options;
    const recent = lines.filter(({ line }) => line.ts > now() - CLEAR_WINDOW_MS);
    if (recent.length === 0) return;
    const before = volatile.shed;
    detector.notice(volatile.take(recent, now()));
    this.#shed += volatile.shed - before;
    if (this.#shed > 0) this.#tellShed();
  }

  /** What rules will never see is a gap; during a flood it is told of together. */
  #tellShed(): void {
    if (this.#telling) return;
    this.#telling = true;
    const { log, name, failed } = this.#options;
    const count = this.#shed;
    this.#shed = 0;
    const reason = `the memory for what rules see is full; they are not shown these lines of ${name}, which are in its log`;
    const told = log.append('collector.gap', { collector_name: AGENT, cause: 'shed', count, reason });
    told.catch(failed).finally(() => {
      this.#telling = false;
      if (this.#shed > 0) this.#tellShed();
    });
  }
}

const LOSSY = new TextDecoder('utf-8');

/** As the table contract has it: joined by one space each. */
function commandOf({ arguments: secret }: LoggedEvent): string | undefined {
  if (secret === undefined) return undefined;
  return secret.values
    .map((value) => LOSSY.decode(value))
    .join(' ')
    .slice(0, MAX_COMMAND_LINE)
    .toWellFormed();
}
