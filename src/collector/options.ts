import type { CollectorStartData } from '../core/event-data.ts';
import type { PrivateKey } from '../core/keys.ts';
import type { CollectorSide } from '../ipc/channel.ts';
import type { Clock } from '../ledger/clock.ts';
import type { LedgerWriter } from '../ledger/writer-io.ts';
import type { Sealer } from '../seal/writer-io.ts';
import type { Source } from './source.ts';

/** What the machine and the process are, as the caller found out. */
export type Surroundings = {
  readonly boot: string;
  readonly clock: Clock;
  readonly pid: number;
  /** Its own start, as in an entity; undefined where the platform doesn't tell. */
  readonly start: string | undefined;
  readonly system: Pick<
    CollectorStartData,
    'host_os_type' | 'host_os_kernel' | 'host_architecture' | 'clock_ticks_per_second'
  >;
  readonly usage: () => { readonly residentBytes: number; readonly cpuMicroseconds: number };
  readonly sleep: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
};

export type CollectorOptions = {
  /** A token: `procmond`. */
  readonly name: string;
  readonly version: string;
  readonly sources: readonly Source[];
  /** Its own log, opened; closed by the caller. */
  readonly writer: LedgerWriter;
  readonly key: PrivateKey;
  readonly sealer: Sealer;
  readonly channel: CollectorSide;
  readonly surroundings: Surroundings;
  /** The last line of its log before now, Unix milliseconds: since then nobody was watching. */
  readonly lastSeen: number | undefined;
  /** When aborted, the collector ends in good order. */
  readonly signal: AbortSignal;
};
