import type { Digest } from '../core/digest.ts';
import type { Severity } from '../core/event-data.ts';
import type { CollectorState } from './collectors/supervisor-io.ts';
import type { RuleState } from './detect/live-rule.ts';

/** What `agent status` tells; schemas/cli/agent-status.schema.json. Times in Unix milliseconds. */
export type AgentStatus = {
  /** ready: rules are loaded, and the collector has looked at everything once. */
  readonly state: 'starting' | 'ready' | 'stopping';
  readonly pid: number;
  readonly host: string;
  readonly version: string;
  readonly started: number;
  readonly data: string;
  readonly resident_bytes: number;
  readonly collector: CollectorStatus;
  readonly rules: readonly RuleStatus[];
  /** Why rules of the newest bundle are not live, if so. */
  readonly rules_trouble?: string;
  readonly detector: {
    /** Whether rules see arguments at all. */
    readonly arguments: boolean;
    readonly rounds: number;
    readonly last_round_ms: number;
    readonly longest_round_ms: number;
    readonly shed: number;
  };
  readonly alerts: { readonly raised: number; readonly repeated: number };
  readonly traces: readonly string[];
  readonly store: { readonly bytes: number; readonly rows: { readonly [table: string]: number } };
  /** Lines in the agent's own log. */
  readonly log_size: number;
  /** What can't be seen or done here, one sentence each. */
  readonly limitations: readonly string[];
};

export type CollectorStatus = {
  readonly name: string;
  readonly state: CollectorState;
  readonly starts: number;
  readonly pid?: number;
  readonly capabilities: readonly string[];
  readonly trouble?: string;
  readonly events?: number;
  readonly shed?: number;
  readonly denied?: number;
  readonly resident_bytes?: number;
};

export type RuleStatus = {
  readonly id: string;
  readonly version?: number;
  readonly severity?: Severity;
  readonly state: RuleState;
  readonly channel: string;
  readonly seq: number;
  readonly payload: Digest;
  readonly missing?: readonly string[];
  readonly reason?: string;
  readonly evaluations: number;
  readonly hits: number;
  readonly mean_ms: number;
  readonly longest_ms: number;
};
