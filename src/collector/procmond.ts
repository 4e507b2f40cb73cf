import type { Duplex } from 'node:stream';
import type { PrivateKey } from '../core/keys.ts';
import { RELEASE } from '../core/release.ts';
import { collectorSide } from '../ipc/channel.ts';
import type { ProcmondOptions } from '../ipc/procmond-launch.ts';
import { systemRandom } from '../ledger/surroundings-io.ts';
import { openLedgerWriter } from '../ledger/writer-io.ts';
import { openSealer } from '../seal/writer-io.ts';
import { runCollector } from './collector.ts';
import { lastMoment, machineSurroundings } from './machine-io.ts';
import { closeNativeDoors } from './native-doors-io.ts';
import { ProcfsSource } from './procfs/source-io.ts';

export const PROCMOND = 'procmond';

/**
 * Opens procmond's log and sealed values, closes every door that isn't needed any more, and watches until the agent or
 * `signal` says otherwise.
 * @throws LedgerError, SealError, DurableError or CollectorError
 */
export async function runProcmond(
  options: ProcmondOptions,
  key: PrivateKey,
  stream: Duplex,
  signal: AbortSignal,
): Promise<void> {
  const surroundings = machineSurroundings();
  const { boot, clock } = surroundings;
  const lastSeen = await lastMoment(options.log);
  await using writer = await openLedgerWriter({
    directory: options.log,
    key,
    boot,
    clock,
    random: systemRandom,
    quota: options.logBytes,
  });
  closeNativeDoors();
  await using sealer = await openSealer({
    directory: options.sealed,
    recipients: options.recipients,
    random: systemRandom,
    mono: clock.mono,
  });
  await runCollector({
    name: PROCMOND,
    version: RELEASE.version,
    sources: [new ProcfsSource(options)],
    writer,
    key,
    sealer,
    channel: collectorSide(stream),
    surroundings,
    lastSeen,
    signal,
  });
}
