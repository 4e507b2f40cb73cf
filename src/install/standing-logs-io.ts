import { DaemonEyeError } from '../core/errors.ts';
import { newestCosigned } from '../ledger/cosigned-io.ts';
import { readGenesis, requireHeads } from '../ledger/open-io.ts';
import type { LogStanding } from './agenda.ts';
import { logDirectories } from './enrolment-io.ts';

/** Each log of this host, in the order of their names. @throws InstallError NOT_INITIALISED; DurableError */
export function standingLogs(data: string): readonly LogStanding[] {
  return logDirectories(data).map((log) => ({ log, known: standingOf(log) }));
}

function standingOf(log: string): LogStanding['known'] {
  try {
    const entries = requireHeads(log, readGenesis(log)).newest.checkpoint.size;
    return { entries, cosigned: Math.min(entries, cosignedOf(log)) };
  } catch (error) {
    // One damaged log must not keep a person from being told of the rest.
    if (error instanceof DaemonEyeError) return undefined;
    throw error;
  }
}

/** A note that is none has seen nothing. */
function cosignedOf(log: string): number {
  try {
    return newestCosigned(log);
  } catch (error) {
    if (error instanceof DaemonEyeError) return 0;
    throw error;
  }
}
