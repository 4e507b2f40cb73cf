import type { Digest } from '../core/digest.ts';
import type { Entity, EventData } from '../core/event-data.ts';
import {
  type TraceEnd,
  type TraceLink,
  traceLink,
  traceNext,
  traceOpen,
  traceSeed,
} from '../core/evidence/trace-chain.ts';
import type { Followed, Observation } from './source.ts';

export type TraceLimit = EventData['trace.limit']['limit'];
export type TraceCause = EventData['trace.stop']['cause'];

export type TraceRequest = {
  readonly start: Omit<EventData['trace.start'], 'tseq' | 'tprev'>;
  /** Digest of the TraceCommand's payload, for a trace that was commanded. */
  readonly command: Digest | undefined;
};

/** Traces at a time. */
export const MAX_TRACES = 8;

/** One trace as a chain of its own within the log, which lineage belongs to it, and when it has had enough. */
export class Trace {
  readonly request: TraceRequest;
  readonly #depthOf = new Map<Entity, number>();
  readonly #living = new Set<Entity>();
  #end: TraceEnd;
  #bytes = 0;
  /** Descendants that were too far down. */
  tooDeep = 0;
  firstSeq: number | undefined;
  lastSeq: number | undefined;

  constructor(request: TraceRequest) {
    this.request = request;
    this.#end = traceOpen(this.id, traceSeed(request.start, request.command));
  }

  get id(): string {
    return this.request.start.trace_id;
  }

  get count(): number {
    return this.#end.count;
  }

  /** Where its next line attaches. */
  get end(): TraceEnd {
    return this.#end;
  }

  /** Nothing of the lineage lives any more. */
  get hasEnded(): boolean {
    return this.#living.size === 0;
  }

  link(): TraceLink {
    return traceLink(this.#end);
  }

  /** A line of the trace is durable. */
  advance(line: { readonly seq: number; readonly leaf: Digest; readonly line: Uint8Array }): void {
    this.#end = traceNext(this.#end, line.leaf);
    this.#bytes += line.line.length;
    this.firstSeq ??= line.seq;
    this.lastSeq = line.seq;
  }

  join(members: readonly Followed[]): void {
    for (const { entity, depth } of members) {
      this.#depthOf.set(entity, depth);
      this.#living.add(entity);
    }
  }

  /**
   * Whether an observation belongs to the trace; descendants join by being seen to start.
   */
  takes(observation: Observation): boolean {
    const { type, data } = observation;
    if (type === 'process.start' || type === 'process.exec' || type === 'process.snapshot') {
      return this.#depthOf.has(data.entity) || this.#admits(data.entity, data.parent_entity);
    }
    const entity = 'entity' in data ? data.entity : undefined;
    if (entity === undefined || !this.#depthOf.has(entity)) return false;
    if (type === 'process.exit') this.#living.delete(entity);
    return type === 'process.exit' || (type.startsWith('network.') && this.request.start.capture.network);
  }

  /** The cap that the lines so far have met, if any. */
  capMet(): 'events' | 'bytes' | undefined {
    const { max } = this.request.start;
    if (this.count >= max.events) return 'events';
    return this.#bytes >= max.bytes ? 'bytes' : undefined;
  }

  #admits(entity: Entity, parent: Entity | undefined): boolean {
    const above = parent === undefined ? undefined : this.#depthOf.get(parent);
    if (above === undefined) return false;
    if (above >= this.request.start.depth) {
      this.tooDeep += 1;
      return false;
    }
    this.join([{ entity, depth: above + 1 }]);
    return true;
  }
}
