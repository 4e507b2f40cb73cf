import { join } from 'node:path';

/** Where the agent's things lie in a data directory (docs/formats.md, "State on disk"). */
export type AgentLayout = {
  readonly data: string;
  readonly log: string;
  readonly store: string;
  readonly lock: string;
  readonly socket: string;
  /** One alert a line, masks only. */
  readonly alerts: string;
};

export function agentLayout(data: string): AgentLayout {
  return {
    data,
    log: join(data, 'logs', 'agent'),
    store: join(data, 'events.db'),
    lock: join(data, 'agent.lock'),
    socket: join(data, 'agent.sock'),
    alerts: join(data, 'alerts.ndjson'),
  };
}
