import { randomUUID } from 'node:crypto';
import { messageOf } from '../core/errors.ts';
import type { TraceState } from '../ipc/gen/ipc_pb.ts';
import type { AgentLog } from './agent-log-io.ts';
import type { AlertRecord } from './alerts/record.ts';
import type { Supervisor } from './collectors/supervisor-io.ts';
import type { LiveRule } from './detect/live-rule.ts';
import { TRACE_BYTES, TRACE_EVENTS } from './format.ts';
import type { EventStore, ProcessBrief } from './store/event-store-io.ts';
import { ActiveTraces } from './traces.ts';

export type TracerOptions = {
  readonly supervisor: Supervisor;
  readonly store: EventStore;
  readonly log: AgentLog;
  readonly now: () => number;
  readonly failed: (error: unknown) => void;
};

/** Traces that rules ask for: decided before the alert is written, which names it, and started after. */
export class Tracer {
  readonly #options: TracerOptions;
  readonly #active = new ActiveTraces();

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  get ids(): readonly string[] {
    return this.#active.ids;
  }

  /** @returns the id of the trace that is to be started for this hit, if one is */
  plan({ rule }: LiveRule, { entity }: ProcessBrief): string | undefined {
    if (rule.trace === undefined) return undefined;
    const { supervisor, store, now } = this.#options;
    if (!supervisor.capabilities.includes('trace')) {
      this.#missed(entity, 'unavailable', `rule ${rule.id} asks for a trace, but nothing here can follow a process`);
      return undefined;
    }
    const isOld = store.seenAt(entity)?.since === undefined;
    const verdict = this.#active.judge(
      { entity, isOld },
      now(),
      (child) => store.process(child)?.parent_entity ?? undefined,
    );
    if (!verdict.go) {
      if (verdict.follows === undefined)
        this.#missed(entity, 'limit', `rule ${rule.id} asks for a trace, but ${verdict.reason}`);
      return undefined;
    }
    const id = randomUUID();
    this.#active.begin({ id, entity, depth: rule.trace.depth, isOld }, now());
    return id;
  }

  /** The alert that names the trace is durable. */
  async start(
    { alert_id, rule_id, rule_name, entity, started_trace: id }: AlertRecord,
    { rule }: LiveRule,
  ): Promise<void> {
    const { session } = this.#options.supervisor;
    const { trace } = rule;
    if (id === undefined || entity === undefined || trace === undefined) return;
    try {
      if (session === undefined) throw new Error('the collector is not there');
      await session.startTrace({
        traceId: id,
        entity,
        depth: trace.depth,
        cmdlines: true,
        network: trace.network,
        files: trace.files,
        maxSeconds: BigInt(Math.max(1, Math.ceil(trace.durationMs / 1000))),
        maxEvents: BigInt(TRACE_EVENTS),
        maxBytes: BigInt(TRACE_BYTES),
        cause: 'rule',
        reason: `rule ${rule_id}: ${rule_name ?? rule.name}`.slice(0, 1024),
        ruleId: rule_id,
        alertId: alert_id,
      });
    } catch (error) {
      this.#active.end(id);
      this.#missed(entity, 'unavailable', `the trace ${id} could not be started: ${messageOf(error)}`);
    }
  }

  /** The collector says what became of a trace. */
  told({ traceId, state }: TraceState): void {
    if (state !== 'started') this.#active.end(traceId);
  }

  /** The collector is gone, and its traces with it. */
  reset(): void {
    this.#active.endAll();
  }

  /** What was not captured is a gap. */
  #missed(entity: string, cause: 'limit' | 'unavailable', reason: string): void {
    const data = { collector_name: 'procmond', cause, entity, reason: reason.slice(0, 1024) } as const;
    this.#options.log.append('collector.gap', data).catch(this.#options.failed);
  }
}
