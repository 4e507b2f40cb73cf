import type { Time } from '../core/time.ts';
import { DEFAULT_INTERVAL_MS, DEFAULT_LOG_BYTES, DEFAULT_SOCKETS_MS } from '../ipc/procmond-launch.ts';
import type { Surroundings } from '../ledger/composer.ts';
import type { AlertRecord } from './alerts/record.ts';
import { STORE_AGE_MS, STORE_BYTES } from './format.ts';
import type { AgentStatus } from './status.ts';

export type AgentOptions = {
  /** Absolute path of the data directory. */
  readonly data: string;
  /** Build time of the program. */
  readonly builtAt: Time;
  readonly surroundings: Surroundings;
  readonly env: NodeJS.ProcessEnv;
  /** When aborted, the agent ends in good order. */
  readonly signal: AbortSignal;
  /** An alert was raised, and is durable. */
  readonly onAlert?: (alert: AlertRecord) => void;
  /** Rules are live, and the collector has looked at everything once. */
  readonly onReady?: (status: AgentStatus) => void;
  /** Something a person should know now. */
  readonly note?: (text: string) => void;
  /** Milliseconds between two looks at processes and at sockets. */
  readonly intervalMs?: number;
  readonly socketsMs?: number;
  /** Age, and size in bytes, at which rows leave the event store. */
  readonly storeAgeMs?: number;
  readonly storeBytes?: number;
  /** Bytes that the lines of procmond's log may have, and those of the agent's. */
  readonly logsBytes?: number;
  /** Whether names of environment variables are logged, and the values sealed. */
  readonly environment?: boolean;
};

/** With nothing left open. */
export type Settled = Required<AgentOptions>;

export function settle(options: AgentOptions): Settled {
  const nothing = () => undefined;
  return {
    onAlert: nothing,
    onReady: nothing,
    note: nothing,
    intervalMs: DEFAULT_INTERVAL_MS,
    socketsMs: DEFAULT_SOCKETS_MS,
    storeAgeMs: STORE_AGE_MS,
    storeBytes: STORE_BYTES,
    logsBytes: DEFAULT_LOG_BYTES,
    environment: false,
    ...options,
  };
}
