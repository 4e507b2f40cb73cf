import type { EventData, EventType } from '../core/event-data.ts';
import { systemBoot, systemClock, systemRandom } from '../ledger/surroundings-io.ts';
import { openSealer, type Sealer } from '../seal/writer-io.ts';
import { HASH_LIMITS, HashCache } from './procfs/executable-hashes-io.ts';
import { Scanner } from './procfs/scanner-io.ts';
import { SocketScanner } from './procfs/sockets-io.ts';
import { bootTimeNow } from './procfs/source-io.ts';
import { protectSecrets } from './secrets.ts';
import type { Observation } from './source.ts';

export type SnapshotOptions = {
  /** The host's id, as in the genesis of its logs. */
  readonly host: string;
  readonly boot?: string;
  /** Names of environment variables too; default false. */
  readonly environment?: boolean;
  /** Hashes of programs; default true. */
  readonly hashes?: boolean;
  /** Default: values are committed to under keys that nobody keeps. */
  readonly sealer?: Pick<Sealer, 'seal'>;
};

export type SnapshotEvent = { readonly type: EventType; readonly data: EventData[EventType] };

/**
 * The processes of this machine and their TCP sockets, once: process.snapshot, network.listen, network.connect and
 * network.accept, as procmond would write them. Secrets are masked as in a log.
 * @throws CollectorError PROCFS_UNAVAILABLE
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<SnapshotEvent[]> {
  const { host, boot = systemBoot(), environment = false, hashes: hashing = true } = options;
  const sealer = options.sealer ?? (await commitOnly());
  const observations: Observation[] = [];
  const emit = (observation: Observation) => void observations.push(observation);
  const limits = hashing ? { ...HASH_LIMITS, roundBytes: Number.POSITIVE_INFINITY } : { ...HASH_LIMITS, fileBytes: -1 };
  const hashes = await HashCache.create(() => undefined, limits);
  const scanner = new Scanner({ host, boot, hashes, environment, bootTime: bootTimeNow(), emit });
  scanner.scan();
  new SocketScanner(scanner.table, emit).scan();
  return observations.map((observation) => ({
    type: observation.type,
    data: 'argv' in observation ? protectSecrets(observation, sealer).data : observation.data,
  }));
}

async function commitOnly(): Promise<Sealer> {
  return await openSealer({ directory: '', recipients: [], random: systemRandom, mono: systemClock.mono });
}
