import type { BundleStatement } from '../../bundle/statement.ts';
import type { Digest } from '../../core/digest.ts';
import { VerifyError } from '../errors.ts';

/** What this enclave remembers of a channel. */
export type ChannelMemory = {
  /** The highest seq ever accepted; it never falls, whatever is active. */
  readonly highestSeq: number;
  /** Payload digest of the bundle that had it. */
  readonly payload: Digest;
};

/** How many bundles may be skipped without a person saying so. */
export const GAP_CAP = 8;

/**
 * The bundle's place in its channel, against what is remembered.
 *
 * A **fork** is two statements for one place: a publisher's key signs two histories, or somebody else has it. A
 * **replay** is an older place: an attacker brings back what was fixed since. A **gap** is normal (sticks get lost)
 * up to a cap.
 * @param memory undefined when nothing of this channel is known
 * @throws VerifyError SEQUENCE_FORK, SEQUENCE_REPLAY or SEQUENCE_GAP
 */
export function checkSequence(
  statement: BundleStatement,
  payload: Digest,
  memory: ChannelMemory | undefined,
  acceptGap: boolean,
): string {
  const { seq, prev, channel } = statement;
  if (memory === undefined) return `seq ${seq}; nothing is known of ${channel} here yet`;
  const { highestSeq } = memory;
  if (seq === highestSeq && payload === memory.payload)
    return `seq ${seq} is the newest accepted here, the same bundle`;
  if (seq === highestSeq || (seq === highestSeq + 1 && prev !== memory.payload)) {
    throw new VerifyError(
      'SEQUENCE_FORK',
      `FORK: two different histories of ${channel} at seq ${highestSeq}: ask the publisher which is theirs`,
    );
  }
  if (seq < highestSeq) {
    throw new VerifyError(
      'SEQUENCE_REPLAY',
      `seq ${seq} is older than ${highestSeq}, which was accepted here: a replay`,
    );
  }
  const skipped = seq - highestSeq - 1;
  if (skipped > GAP_CAP && !acceptGap) {
    throw new VerifyError(
      'SEQUENCE_GAP',
      `seq ${seq} skips ${skipped} bundles after ${highestSeq}; if that is right, say so with --accept-gap`,
    );
  }
  return skipped === 0 ? `seq ${seq} follows ${highestSeq}` : `seq ${seq} skips ${skipped} after ${highestSeq}`;
}
