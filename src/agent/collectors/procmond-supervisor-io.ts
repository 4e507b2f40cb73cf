import type { Time } from '../../core/time.ts';
import { readInstall } from '../../install/install-io.ts';
import { loadPinnedRoot } from '../../install/root-store-io.ts';
import type { Hello, TraceState } from '../../ipc/gen/ipc_pb.ts';
import { procmondPaths } from '../../ipc/procmond-launch.ts';
import { spawnProcmond } from '../../ipc/spawn-io.ts';
import type { Settled } from '../options.ts';
import type { CollectorFeed } from './procmond-feed-io.ts';
import type { CollectorSession } from './session-io.ts';
import { Supervisor } from './supervisor-io.ts';

export type ProcmondSupervision = Pick<
  Settled,
  'data' | 'builtAt' | 'intervalMs' | 'socketsMs' | 'environment' | 'logsBytes'
> & {
  readonly feed: CollectorFeed;
  readonly traceTold: (state: TraceState) => void;
  readonly watching: (session: CollectorSession, hello: Hello) => void;
  readonly parting: (session: CollectorSession) => Promise<void>;
  readonly ended: (reason: string) => Promise<void>;
};

/** The supervisor of procmond: started with what the trust root says now, its lines acknowledged when they are stored. */
export function superviseProcmond(options: ProcmondSupervision): Supervisor {
  const { data, builtAt, feed, intervalMs, socketsMs, environment, logsBytes, watching, parting, ended } = options;
  const acknowledge = (seq: bigint) => supervisor.session?.acknowledge(seq);
  const supervisor: Supervisor = new Supervisor({
    spawn: async () => {
      const recipients = await revealRecipients(data, builtAt);
      return await spawnProcmond({
        ...procmondPaths(data),
        recipients,
        intervalMs,
        socketsMs,
        environment,
        logBytes: logsBytes,
      });
    },
    admit: (hello) => feed.admit(hello),
    handlers: {
      events: async (batch) => acknowledge(await feed.events(batch)),
      gap: async (gap) => acknowledge(await feed.gap(gap)),
      trace: (state) => options.traceTold(state),
      checkpoint: (checkpoint) => feed.checkpoint(checkpoint),
      health: (health) => {
        supervisor.health = health;
      },
      failure: (code, message) => {
        supervisor.lastTrouble = `${message} [${code}]`;
      },
    },
    watching,
    parting,
    ended,
  });
  return supervisor;
}

/** Who may open sealed values, as the pinned trust root says now. */
async function revealRecipients(data: string, builtAt: Time): Promise<readonly string[]> {
  const { layout, state } = await readInstall(data, builtAt);
  if (state.root === undefined) return [];
  return loadPinnedRoot(layout, state).document.recipients?.reveal ?? [];
}
