import { RELEASE } from '../core/release.ts';
import type { AgentLog } from './agent-log-io.ts';
import type { Alerts } from './alerts/alerts-io.ts';
import type { Supervisor } from './collectors/supervisor-io.ts';
import type { Detector } from './detect/detector-io.ts';
import type { LiveRule } from './detect/live-rule.ts';
import type { RuleKeeper } from './detect/rule-keeper-io.ts';
import { PROCMOND } from './format.ts';
import type { AgentStatus, CollectorStatus, RuleStatus } from './status.ts';
import type { EventStore } from './store/event-store-io.ts';
import type { VolatileStore } from './store/volatile-io.ts';

export type StatusParts = Pick<AgentStatus, 'state' | 'data' | 'host' | 'started' | 'traces'> & {
  readonly log: AgentLog;
  readonly store: EventStore;
  readonly volatile: VolatileStore;
  readonly detector: Detector;
  readonly rules: RuleKeeper;
  readonly supervisor: Supervisor;
  readonly alerts: Alerts;
};

const NO_MEMORY_PLACE = 'this machine has no file system in memory: rules see no arguments';

/** What the agent's parts tell of themselves. */
export function agentStatus(parts: StatusParts): AgentStatus {
  const { state, data, host, started, traces, log, store, volatile, detector, rules, supervisor, alerts } = parts;
  return {
    state,
    pid: process.pid,
    host,
    version: RELEASE.version,
    started,
    data,
    resident_bytes: process.memoryUsage.rss(),
    collector: collectorStatus(supervisor),
    rules: [...detector.rules.map(ruleStatus), ...rejectedRules(rules)],
    ...(rules.trouble === undefined ? {} : { rules_trouble: rules.trouble }),
    detector: {
      arguments: volatile.hasClear,
      rounds: detector.rounds,
      last_round_ms: rounded(detector.lastRoundMs),
      longest_round_ms: rounded(detector.longestRoundMs),
      shed: volatile.shed,
    },
    alerts: { raised: alerts.raised, repeated: alerts.repeated },
    traces,
    store: { bytes: store.bytes, rows: store.counts() },
    log_size: log.size,
    limitations: [...(supervisor.hello?.limitations ?? []), ...(volatile.hasClear ? [] : [NO_MEMORY_PLACE])],
  };
}

function collectorStatus(supervisor: Supervisor): CollectorStatus {
  const { state, starts, pid, health, lastTrouble, capabilities } = supervisor;
  return {
    name: PROCMOND,
    state,
    starts,
    ...(pid === undefined ? {} : { pid }),
    capabilities,
    ...(lastTrouble === undefined ? {} : { trouble: lastTrouble }),
    ...(health === undefined
      ? {}
      : {
          events: Number(health.events),
          shed: Number(health.shed),
          denied: health.sources.reduce((sum, { denied }) => sum + denied, 0),
          resident_bytes: Number(health.residentBytes),
        }),
  };
}

function ruleStatus({
  rule,
  source,
  state,
  missing,
  reason,
  evaluations,
  hits,
  totalMs,
  longestMs,
}: LiveRule): RuleStatus {
  return {
    id: rule.id,
    version: rule.version,
    severity: rule.severity,
    state,
    channel: source.channel,
    seq: source.seq,
    payload: source.payload,
    ...(missing.length === 0 ? {} : { missing }),
    ...(reason === undefined ? {} : { reason }),
    evaluations,
    hits,
    mean_ms: rounded(evaluations === 0 ? 0 : totalMs / evaluations),
    longest_ms: rounded(longestMs),
  };
}

function rejectedRules({ rejected }: RuleKeeper): RuleStatus[] {
  return rejected.map(({ id, path, reason, source: { channel, seq, payload } }) => {
    const none = { evaluations: 0, hits: 0, mean_ms: 0, longest_ms: 0 };
    return { id: id ?? path, state: 'rejected', channel, seq, payload, reason, ...none };
  });
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
