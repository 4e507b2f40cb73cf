import type { Time } from '../core/time.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { agendaOf, type LogStanding, type Step } from './agenda.ts';
import { readInstall } from './install-io.ts';
import { type Overview, overviewOf } from './overview-io.ts';
import { loadPinnedRoot } from './root-store-io.ts';
import { type RevokedBundle, revokedBundles } from './standing.ts';
import { standingLogs } from './standing-logs-io.ts';
import type { InstallState } from './state.ts';

/** An enclave as its operators ask for it: what it holds, and what is to be done. */
export type Description = {
  readonly state: InstallState;
  /** The newest that is pinned. */
  readonly root: TrustRoot | undefined;
  readonly overview: Overview;
  readonly revoked: readonly RevokedBundle[];
  readonly logs: readonly LogStanding[];
  readonly steps: readonly Step[];
};

/** Takes no lock and writes nothing. @throws as `readInstall`, `loadPinnedRoot` and `overviewOf` */
export async function describeInstall(data: string, builtAt: Time): Promise<Description> {
  const { layout, state } = await readInstall(data, builtAt);
  const root = state.root && loadPinnedRoot(layout, state);
  const overview = overviewOf(layout, state, root);
  const logs = standingLogs(data);
  const { floor, untold, nonces, heads } = state;
  const known = { overview, root, floor, untold, openReceipts: nonces.length, hasHeads: heads !== undefined, logs };
  const revoked = root === undefined ? [] : revokedBundles(root, state);
  return { state, root, overview, revoked, logs, steps: agendaOf(known) };
}
