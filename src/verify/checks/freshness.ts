import type { BundleStatement } from '../../bundle/statement.ts';
import type { Freshness } from '../../core/checks.ts';
import type { Digest } from '../../core/digest.ts';
import { laterTime, type Time } from '../../core/time.ts';
import { VerifyError } from '../errors.ts';
import { type KnownHeads, placeIn } from '../heads.ts';
import type { TrustRoot } from '../root-document.ts';

/**
 * The time floor once this statement is believed: the latest moment known to have passed.
 *
 * A statement issued after its trust root has expired is refused, so that one signer's wrong clock can't push the
 * floor years ahead and make everything else look expired.
 * @throws VerifyError ISSUED_AFTER_ROOT_EXPIRES
 */
export function raisedFloor(root: TrustRoot, statement: BundleStatement, floor: Time): Time {
  if (statement.issuedAt > root.expires) {
    throw new VerifyError(
      'ISSUED_AFTER_ROOT_EXPIRES',
      `issued at ${statement.issuedAt}, after its trust root expires (${root.expires}): a wrong clock at the publisher`,
    );
  }
  return laterTime(laterTime(floor, root.document.issuedAt), statement.issuedAt);
}

/**
 * Freshness without a clock. What can be proved is that something has expired, and, with a heads statement that
 * answered a nonce of this enclave, that nothing newer existed when it was signed.
 * @param floor as raised by {@link raisedFloor}
 * @throws VerifyError EXPIRED
 */
export function checkFreshness(statement: BundleStatement, payload: Digest, floor: Time, heads: KnownHeads): Freshness {
  const { expires } = statement;
  if (expires !== undefined && expires < floor) {
    throw new VerifyError('EXPIRED', `expired at ${expires}; it is at least ${floor}`);
  }
  return { ...proofOf(statement, payload, floor, heads), floor, ...(expires === undefined ? {} : { expires }) };
}

type Proof = Pick<Freshness, 'status' | 'reason' | 'asOf'>;

function proofOf({ channel, seq }: BundleStatement, payload: Digest, floor: Time, heads: KnownHeads): Proof {
  if ('reason' in heads) return { status: 'not-provable', reason: heads.reason };
  const { issuedAt, expires } = heads.document;
  const newest = placeIn(heads.document, channel);
  const said = `the heads statement of ${issuedAt}, an answer to this enclave`;
  // The statement that is judged may have raised the floor past it.
  if (expires < floor) return { status: 'not-provable', reason: `${said}, expired at ${expires}` };
  if (newest === undefined) return { status: 'not-provable', reason: `${said}, says nothing of ${channel}` };
  if (seq < newest.seq) return { status: 'not-provable', reason: `${said}, names seq ${newest.seq} as the newest` };
  // A fork of what the heads name is refused before; should that ever be forgotten, it is not fresh either.
  if (seq === newest.seq && payload !== newest.payload) {
    return { status: 'not-provable', reason: `${said}, names another seq ${seq}` };
  }
  const what = seq === newest.seq ? 'names it as the newest' : `names seq ${newest.seq}, which is older`;
  return { status: 'fresh', reason: `${said}, ${what}`, asOf: issuedAt };
}

/** For who asks for more than not expired. @throws VerifyError NOT_PROVABLY_FRESH */
export function assertFresh({ status, reason }: Freshness): void {
  if (status !== 'fresh') throw new VerifyError('NOT_PROVABLY_FRESH', `not provably fresh: ${reason}`);
}
