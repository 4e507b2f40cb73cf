import type { BundleStatement } from '../../bundle/statement.ts';
import type { Freshness } from '../../core/checks.ts';
import { laterTime, type Time } from '../../core/time.ts';
import { VerifyError } from '../errors.ts';
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
 * Freshness without a clock. Without an answer to a nonce of this enclave nothing can be *proved* fresh; what can be
 * proved is that something has expired.
 * @param floor as raised by {@link raisedFloor}
 * @throws VerifyError EXPIRED
 */
export function checkFreshness(statement: BundleStatement, floor: Time): Freshness {
  const { expires } = statement;
  if (expires !== undefined && expires < floor) {
    throw new VerifyError('EXPIRED', `expired at ${expires}; it is at least ${floor}`);
  }
  const reason = 'no heads statement answers a nonce of this enclave';
  return { status: 'not-provable', reason, floor, ...(expires === undefined ? {} : { expires }) };
}

/** For who asks for more than not expired. @throws VerifyError NOT_PROVABLY_FRESH */
export function assertFresh({ status, reason }: Freshness): void {
  if (status !== 'fresh') throw new VerifyError('NOT_PROVABLY_FRESH', `not provably fresh: ${reason}`);
}
