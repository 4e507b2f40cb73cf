import type { Digest } from '../core/digest.ts';
import type { EventData, EventType } from '../core/event-data.ts';
import { traceStop } from '../core/evidence/trace-chain.ts';
import type { PrivateKey } from '../core/keys.ts';
import type { JsonObject } from '../core/strict-json.ts';
import { DurableError } from '../durable/errors.ts';
import { LedgerError } from '../ledger/errors.ts';
import type { Actor } from '../ledger/line.ts';
import type { LedgerWriter } from '../ledger/writer-io.ts';
import type { Sealer } from '../seal/writer-io.ts';
import type { EventQueue } from './event-queue.ts';
import type { Written } from './outbox.ts';
import { type ClearSecret, protectSecrets } from './secrets.ts';
import type { Followed, Observation } from './source.ts';
import type { Trace, TraceCause, TraceLimit } from './traces.ts';

export type Order =
  | { readonly order: 'start-trace'; readonly trace: Trace }
  | { readonly order: 'stop-trace'; readonly id: string; readonly cause: TraceCause; readonly limit?: TraceLimit }
  | { readonly order: 'anchor'; readonly data: EventData['log.anchor'] | undefined; readonly written: () => void };

export type PumpOptions = {
  readonly queue: EventQueue<Order>;
  readonly writer: LedgerWriter;
  readonly sealer: Sealer;
  readonly actor: Actor;
  /** Signs the lines of traces. */
  readonly key: PrivateKey;
  readonly written: (written: Written) => void;
  /** Begins to look harder; called when trace.start is durable. @returns those that live */
  readonly follow: (trace: Trace) => readonly Followed[];
  readonly traceEnded: (trace: Trace, cause: TraceCause) => void;
  /** Waits until a full disk may have room again. @returns false if there is no time to wait: it is stopping */
  readonly pause: () => Promise<boolean>;
};

type Entry = {
  readonly type: EventType;
  readonly data: JsonObject;
  readonly argv?: ClearSecret;
  readonly env?: ClearSecret;
};

const BATCH = 256;
/** Given up in this order when a line is too long: hostile names can be 4 KiB each, and six times that as JSON. */
const EXPENDABLE: readonly string[] = [
  'process_cgroup_raw',
  'process_cgroup',
  'env_mask',
  'process_working_directory_raw',
  'process_working_directory',
  'process_previous_executable_raw',
  'process_previous_executable',
  'process_executable_raw',
  'process_executable',
  'argv_mask',
];

/**
 * From the queue into the log, and from there to the agent: seal, then write, then send. Nothing is sent before it is
 * durable, no line is written before the values it commits to are.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #traces = new Map<string, Trace>();
  /** Events written. */
  events = 0;

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  get traces(): ReadonlyMap<string, Trace> {
    return this.#traces;
  }

  /**
   * Until the queue is closed and empty; then ends the traces that still run.
   * @throws LedgerError LEDGER_STOPPED
   */
  async run(): Promise<void> {
    for (;;) {
      const items = await this.#options.queue.take(BATCH);
      if (items.length === 0) break;
      await this.#writeAll(items);
    }
    for (const trace of [...this.#traces.values()]) await this.#stopTrace(trace, 'shutdown');
  }

  /** Writes a line of the collector's own. */
  async writeOwn<T extends EventType>(type: T, data: EventData[T]): Promise<void> {
    await this.#write({ type, data: data as unknown as JsonObject });
  }

  async #writeAll(items: readonly (Observation | Order)[]): Promise<void> {
    const entries = items.map((item) => ('order' in item ? item : { item, entry: this.#protect(item) }));
    await this.#sealed();
    let together: Promise<void>[] = [];
    for (const item of entries) {
      const trace = 'order' in item ? undefined : this.#traceOf(item.item);
      if (!('order' in item) && trace === undefined) {
        together.push(this.#write(item.entry));
        continue;
      }
      // A line of a trace names the one before it, which has to be written first.
      await Promise.all(together);
      together = [];
      if ('order' in item) await this.#obey(item);
      else if (trace !== undefined) await this.#writeTraced(trace, item.entry);
    }
    await Promise.all(together);
  }

  #protect(observation: Observation): Entry {
    const { type } = observation;
    if (!('argv' in observation)) return { type, data: observation.data as unknown as JsonObject };
    const { data, ...clear } = protectSecrets(observation, this.#options.sealer);
    return { type, data: data as unknown as JsonObject, ...clear };
  }

  async #sealed(): Promise<void> {
    const { sealer, writer } = this.#options;
    await this.#whenRoom(() => sealer.flush(writer.size));
  }

  #traceOf(observation: Observation): Trace | undefined {
    return this.#traces.values().find((trace) => trace.takes(observation));
  }

  async #obey(order: Order): Promise<void> {
    if (order.order === 'anchor') {
      if (order.data !== undefined) await this.writeOwn('log.anchor', order.data);
      order.written();
      return;
    }
    if (order.order === 'start-trace') {
      const { trace } = order;
      await this.#writeTraced(trace, { type: 'trace.start', data: trace.request.start as unknown as JsonObject });
      this.#traces.set(trace.id, trace);
      trace.join(this.#options.follow(trace));
      if (trace.hasEnded) await this.#stopTrace(trace, 'exited');
      return;
    }
    const trace = this.#traces.get(order.id);
    if (trace === undefined) return;
    if (order.limit !== undefined) await this.#writeLimit(trace, order.limit);
    await this.#stopTrace(trace, order.cause);
  }

  async #writeTraced(trace: Trace, entry: Entry): Promise<void> {
    const data = { ...entry.data, ...trace.link() };
    trace.advance(await this.#append({ ...entry, data }, this.#options.key));
    if (!this.#traces.has(trace.id) || entry.type === 'trace.limit') return;
    const limit = trace.capMet();
    if (limit !== undefined) await this.#writeLimit(trace, limit);
    if (limit !== undefined) await this.#stopTrace(trace, 'limit');
    else if (trace.hasEnded) await this.#stopTrace(trace, 'exited');
  }

  async #writeLimit(trace: Trace, limit: TraceLimit, dropped?: number): Promise<void> {
    const data = { trace_id: trace.id, limit, ...(dropped === undefined ? {} : { dropped }) };
    await this.#writeTraced(trace, { type: 'trace.limit', data });
  }

  async #stopTrace(trace: Trace, cause: TraceCause): Promise<void> {
    if (trace.tooDeep > 0) await this.#writeLimit(trace, 'depth', trace.tooDeep);
    this.#traces.delete(trace.id);
    const data = { cause, ...traceStop(trace.end) };
    await this.#writeTraced(trace, { type: 'trace.stop', data });
    this.#options.traceEnded(trace, cause);
  }

  async #write(entry: Entry): Promise<void> {
    await this.#append(entry, undefined);
  }

  async #append(entry: Entry, signer: PrivateKey | undefined): Promise<Written & { readonly leaf: Digest }> {
    const { writer, actor } = this.#options;
    const { type, argv, env } = entry;
    let data = entry.data;
    for (;;) {
      try {
        const next = { type, actor, data, ...(signer === undefined ? {} : { signer }) };
        const { seq, line, leaf } = await this.#whenRoom(() => writer.append(next));
        this.events += 1;
        const written = { seq, line, ...(argv === undefined ? {} : { argv }), ...(env === undefined ? {} : { env }) };
        this.#options.written(written);
        return { ...written, leaf };
      } catch (error) {
        const shorter = isTooLong(error) ? shorten(data) : undefined;
        if (shorter === undefined) throw error;
        data = shorter;
      }
    }
  }

  /** A full disk stops intake and loses nothing that is here: the queue fills, and counts what it sheds. */
  async #whenRoom<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        const isFull = error instanceof DurableError && error.code === 'NO_SPACE';
        if (!isFull || !(await this.#options.pause())) throw error;
      }
    }
  }
}

function isTooLong(error: unknown): boolean {
  return error instanceof LedgerError && error.code === 'LINE_TOO_LONG';
}

/** Without the next expendable field, which it then names as lost; undefined when nothing is left to give up. */
function shorten(data: JsonObject): JsonObject | undefined {
  const field = EXPENDABLE.find((name) => Object.hasOwn(data, name) && data[name] !== TOO_LONG);
  if (field === undefined) return undefined;
  const { [field]: _, ...rest } = data;
  const lost = Array.isArray(rest['lost']) ? rest['lost'] : [];
  // The contract wants a mask where a value was captured.
  const kept = field.endsWith('_mask') ? { [field]: TOO_LONG } : {};
  return { ...rest, ...kept, lost: [...lost, field] };
}

const TOO_LONG = '…';
