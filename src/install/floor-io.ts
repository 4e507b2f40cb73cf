import type { Cosignature } from '../core/cosignature.ts';
import type { EventData } from '../core/event-data.ts';
import type { Time } from '../core/time.ts';
import { witnessedFloor } from '../verify/witness.ts';
import type { LoggedEntry, WritableInstall } from './install-io.ts';
import { loadPinnedRoot } from './root-store-io.ts';

/** What proved that a later moment has passed. */
export type FloorCause = Omit<EventData['floor.raised'], 'from' | 'floor'>;

/**
 * Raises the time floor to a moment that was proved to have passed, in a log entry of its own.
 * @returns undefined when it is no later than the floor; then nothing is written
 * @throws LedgerError; DurableError
 */
export async function raiseFloor(
  install: WritableInstall,
  floor: Time,
  cause: FloorCause,
): Promise<LoggedEntry | undefined> {
  const { floor: from } = install.state;
  if (floor <= from) return undefined;
  return await install.append({ type: 'floor.raised', data: { ...cause, from, floor } });
}

/** As many as a line of the log takes. */
const MAX_WITNESSES = 64;

/**
 * Raises the time floor to the moment that witnesses prove to have passed: as many holders of the role `witness` as its
 * threshold asks for wrote it, or a later one, on checkpoints that they cosigned.
 * @param cosignatures verified ones, of any checkpoints
 * @returns undefined when they prove nothing later than the floor
 * @throws InstallError NO_TRUST_ROOT or STATE_TAMPERED; LedgerError; DurableError
 */
export async function raiseFloorByWitnesses(
  install: WritableInstall,
  cosignatures: readonly Cosignature[],
): Promise<LoggedEntry | undefined> {
  const root = loadPinnedRoot(install.layout, install.state);
  const floor = witnessedFloor(root, cosignatures, install.state.floor);
  if (floor === undefined) return undefined;
  const witnesses = [...new Set(cosignatures.map(({ key }) => key.keyid))].slice(0, MAX_WITNESSES);
  return await raiseFloor(install, floor, { cause: 'witness', witnesses, root_version: root.version });
}
