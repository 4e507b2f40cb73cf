import { create } from '@bufbuild/protobuf';
import { type FromCollector, type TraceStart, TraceStateSchema } from '../ipc/gen/ipc_pb.ts';
import type { Order } from './pump.ts';
import type { Followed, Source } from './source.ts';
import { parseTraceStart } from './trace-request.ts';
import { MAX_TRACES, Trace, type TraceCause } from './traces.ts';

type Body = FromCollector['body'];

export type TraceDeskOptions = {
  readonly sources: readonly Source[];
  readonly order: (order: Order) => void;
  readonly answer: (body: Body, inReplyTo?: bigint) => void;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
};

/** Takes in what the agent asks of traces, keeps their time, and tells what becomes of them. The pump writes them. */
export class TraceDesk {
  readonly #options: TraceDeskOptions;
  readonly #following = new Map<string, AbortController>();

  constructor(options: TraceDeskOptions) {
    this.#options = options;
  }

  start(message: TraceStart, isWatching: boolean, correlationId: bigint): void {
    const { order, answer } = this.#options;
    const parsed =
      (isWatching ? this.#whyNot(message.traceId) : 'the collector is not watching') ?? parseTraceStart(message);
    if (typeof parsed === 'string') {
      const value = create(TraceStateSchema, { traceId: message.traceId, state: 'refused', cause: parsed });
      answer({ case: 'trace', value }, correlationId);
      return;
    }
    const trace = new Trace(parsed);
    const following = new AbortController();
    this.#following.set(trace.id, following);
    order({ order: 'start-trace', trace });
    void this.#stopInTime(trace, following.signal);
    answer({ case: 'trace', value: create(TraceStateSchema, { traceId: trace.id, state: 'started' }) }, correlationId);
  }

  stop(id: string): void {
    this.#options.order({ order: 'stop-trace', id, cause: 'command' });
  }

  /** trace.start is durable: now sources look harder. @returns those that live */
  follow(trace: Trace): readonly Followed[] {
    const signal = this.#following.get(trace.id)?.signal;
    if (signal === undefined || signal.aborted) return [];
    const { entity, depth } = trace.request.start;
    return this.#options.sources.flatMap((source) => source.follow?.(entity, depth, signal) ?? []);
  }

  /** trace.stop is durable. */
  ended(trace: Trace, cause: TraceCause): void {
    this.#following.get(trace.id)?.abort();
    this.#following.delete(trace.id);
    const value = create(TraceStateSchema, {
      traceId: trace.id,
      state: 'stopped',
      cause,
      firstSeq: BigInt(trace.firstSeq ?? 0),
      lastSeq: BigInt(trace.lastSeq ?? 0),
      count: BigInt(trace.count),
    });
    this.#options.answer({ case: 'trace', value });
  }

  /** Nothing is looked at any more; the pump ends what runs. */
  close(): void {
    for (const following of this.#following.values()) following.abort();
  }

  #whyNot(id: string): string | undefined {
    if (!this.#options.sources.some((source) => source.follow !== undefined))
      return 'no source here can follow a process';
    if (this.#following.has(id)) return 'this trace runs already';
    return this.#following.size >= MAX_TRACES ? `${MAX_TRACES} traces run already` : undefined;
  }

  async #stopInTime(trace: Trace, signal: AbortSignal): Promise<void> {
    await this.#options.sleep(trace.request.start.max.seconds * 1000, signal);
    if (!signal.aborted) this.#options.order({ order: 'stop-trace', id: trace.id, cause: 'limit', limit: 'seconds' });
  }
}
