import type { Entity, EventData, EventType, ProcessExecData } from '../core/event-data.ts';

/**
 * What a collector is made of. A source looks at one thing and says what it saw; everything else (identity of events,
 * secrets, the log, the agent, loss, shutdown) is the SDK's.
 */
export type Source = {
  /** A token: `procfs`, `tracefs`. Stands in every event as event_provider. */
  readonly name: string;
  /** What it can see here and now, in the words of schemas/tables.json, and what it can't. */
  capabilities(): Capabilities;
  /**
   * Watches until `signal` is aborted; resolves then, when it will emit nothing more. Rejecting ends the collector.
   */
  start(context: SourceContext, signal: AbortSignal): Promise<void>;
  health(): SourceHealth;
  /**
   * Looks harder at one process and its descendants until `signal` is aborted, and emits a process.snapshot of each
   * that lives. Only for sources that announce `trace`.
   * @returns those that live now, with their distance from the root; none if the root and all below it are gone
   */
  follow?(root: Entity, depth: number, signal: AbortSignal): readonly Followed[];
};

export type Followed = { readonly entity: Entity; readonly depth: number };

export type SourceContext = {
  readonly host: string;
  readonly boot: string;
  /** Never blocks and never throws. What can't be queued is counted and becomes a collector.gap. */
  readonly emit: (observation: Observation) => void;
};

export type Capabilities = {
  readonly sees: readonly string[];
  /** One sentence each, for people. */
  readonly limitations: readonly string[];
};

export type SourceHealth = {
  readonly state: 'active' | 'standby' | 'unavailable';
  readonly reason?: string;
  /** Rounds of looking, and the longest one. */
  readonly rounds: number;
  readonly longestMicroseconds: number;
  /** Processes of which something was denied. */
  readonly denied: number;
};

/** A secret as read: bytes with a NUL after each part, or why there are none. */
export type Secret =
  | { readonly state: 'captured'; readonly bytes: Uint8Array; readonly truncated?: boolean }
  | { readonly state: 'lost' | 'denied' };

type SecretField = 'argv_mask' | 'argv_commit' | 'argv_state' | 'env_mask' | 'env_commit' | 'env_state';

export type ProcessEventType = 'process.start' | 'process.exec' | 'process.snapshot';

/** A source never writes a field about secrets: it hands them over, and the SDK masks, commits and seals. */
export type ProcessObservation = {
  readonly type: ProcessEventType;
  readonly data: Omit<ProcessExecData, SecretField | 'process_args_count'>;
  readonly argv: Secret;
  readonly env?: Secret;
};

export type PlainObservation = {
  [T in Exclude<EventType, ProcessEventType>]: { readonly type: T; readonly data: EventData[T] };
}[Exclude<EventType, ProcessEventType>];

export type Observation = ProcessObservation | PlainObservation;
