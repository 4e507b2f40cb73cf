import type { BundleStatement } from '../../bundle/statement.ts';
import type { Digest } from '../../core/digest.ts';
import { VerifyError } from '../errors.ts';
import type { Place } from '../heads.ts';

/** What this enclave remembers of a channel. */
export type ChannelMemory = {
  /** The highest seq ever accepted; it never falls, whatever is active. */
  readonly highestSeq: number;
  /** Payload digest of the bundle that had it. */
  readonly payload: Digest;
  /** A bundle that may become active again though it is not the newest, and on whose word. */
  readonly readmitted?: { readonly payload: Digest; readonly why: string };
};

/** How many bundles may be skipped without a person saying so. */
export const GAP_CAP = 8;

/**
 * The bundle's place in its channel, against what is remembered.
 *
 * A **fork** is two statements for one place: a publisher's key signs two histories, or somebody else has it. A
 * **replay** is an older place: an attacker brings back what was fixed since. A **gap** is normal (sticks get lost)
 * up to a cap. Going back is no replay when a person here, or a downgrade statement, says which bundle.
 * @param memory undefined when nothing of this channel is known
 * @param announced what an accepted heads statement names as the newest of the channel
 * @throws VerifyError SEQUENCE_FORK, SEQUENCE_REPLAY or SEQUENCE_GAP
 */
export function checkSequence(
  statement: BundleStatement,
  payload: Digest,
  memory: ChannelMemory | undefined,
  acceptGap: boolean,
  announced?: Place,
): string {
  const { seq, channel } = statement;
  if (memory?.readmitted?.payload === payload)
    return `seq ${seq} again, after ${memory.highestSeq}: ${memory.readmitted.why}`;
  if (announced !== undefined) assertNoFork(statement, payload, announced);
  if (memory === undefined) return `seq ${seq}; nothing is known of ${channel} here yet`;
  const { highestSeq } = memory;
  if (seq === highestSeq && payload === memory.payload)
    return `seq ${seq} is the newest accepted here, the same bundle`;
  assertNoFork(statement, payload, { seq: highestSeq, payload: memory.payload });
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

function assertNoFork({ seq, prev, channel }: BundleStatement, payload: Digest, known: Place): void {
  const differs = seq === known.seq ? payload !== known.payload : seq === known.seq + 1 && prev !== known.payload;
  if (!differs) return;
  throw new VerifyError(
    'SEQUENCE_FORK',
    `FORK: two different histories of ${channel} at seq ${known.seq}: ask the publisher which is theirs`,
  );
}
