import type { Checkpoint } from '../core/checkpoint.ts';
import { type Cosignature, verifyCosignatures } from '../core/cosignature.ts';
import type { PublicKey } from '../core/keys.ts';
import { parseNote } from '../core/signed-note.ts';
import { parseTime, type Time } from '../core/time.ts';
import type { Epochs } from './epochs.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { verifyHead } from './heads.ts';

/** A checkpoint of a log with the cosignatures of admitted witnesses on it. */
export type CosignedCheckpoint = {
  readonly checkpoint: Checkpoint;
  /** At least one. */
  readonly cosignatures: readonly Cosignature[];
};

/** A witness' clock and ours may differ; by more, one of them is wrong. */
const MAX_AHEAD_MS = 24 * 3600 * 1000;

/** Whose heads count as a log's. */
export type LogIdentity = { readonly genesis: Genesis; readonly epochs: Epochs };

/**
 * Checks that a note is a checkpoint of this log, cosigned by an admitted witness.
 * @param witnesses the keys that are admitted
 * @throws CoreError as `verifyHead` and `verifyCosignatures`; LedgerError WITNESS_NOT_ADMITTED
 */
export function verifyCosigned(
  note: Uint8Array,
  { genesis, epochs }: LogIdentity,
  witnesses: readonly PublicKey[],
): CosignedCheckpoint {
  const checkpoint = verifyHead(note, genesis, epochs);
  const cosignatures = verifyCosignatures(parseNote(note), witnesses, genesis.hash);
  if (cosignatures.length === 0) {
    const message =
      'no witness that is admitted here cosigned this checkpoint; give its public key with --witness-key, or admit it by the role ' +
      'witness in the trust root';
    throw new LedgerError('WITNESS_NOT_ADMITTED', message, { fault: 'untrusted' });
  }
  return { checkpoint, cosignatures };
}

/**
 * Refuses a cosignature from more than a day ahead of our clock. What it says of the log is true all the same, but one
 * of the two clocks is wrong, and a person should know which before the time is relied on.
 * @throws LedgerError COSIGNATURE_AHEAD
 */
export function assertNotAhead(cosignatures: readonly Cosignature[], now: Time): void {
  const ahead = cosignatures.find(({ time }) => parseTime(time) > parseTime(now) + MAX_AHEAD_MS);
  if (ahead === undefined) return;
  const message = `the witness says ${ahead.time}, the clock here ${now}: one of them is wrong; if it is the one here, add --accept-ahead`;
  throw new LedgerError('COSIGNATURE_AHEAD', message, { fault: 'untrusted' });
}
