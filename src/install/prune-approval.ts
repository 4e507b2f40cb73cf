import { type Envelope, signingKeys } from '../core/dsse.ts';
import { laterTime, type Time } from '../core/time.ts';
import { type PruneApproval, parsePruneApproval } from '../ledger/prune.ts';
import { admit, operatorOf } from '../verify/enrolment-admission.ts';
import { assertRootNotExpired } from '../verify/root-chain.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { InstallError } from './errors.ts';

/** Who may approve that lines are dropped. */
const APPROVERS = ['operator:approver', 'operator:admin'] as const;

/**
 * An order to drop lines of a log that an operator stands behind who may: enrolled under the trust root as approver or
 * admin, and not revoked. Whether it is for this log and these lines is for `pruneLedger` to say.
 * @param enrolments that are known; each counts only if it verifies at `floor`
 * @throws LedgerError PRUNE_REFUSED (no order); InstallError PRUNE_NOT_APPROVED; VerifyError when the root has expired
 */
export function verifyPruneApproval(
  envelope: Envelope,
  trust: { readonly root: TrustRoot; readonly enrolments: readonly Uint8Array[]; readonly floor: Time },
): PruneApproval & { readonly operator: string } {
  const approval = parsePruneApproval(envelope);
  const floor = laterTime(trust.floor, trust.root.document.issuedAt);
  assertRootNotExpired(trust.root, floor);
  const admissions = admit(trust.root, trust.enrolments, floor);
  const keys = admissions.operators.flatMap((operator) => operator.keys);
  for (const { keyid } of signingKeys(envelope, keys)) {
    for (const role of APPROVERS) {
      const operator = operatorOf(admissions, role, keyid);
      if (operator !== undefined) return { ...approval, operator: operator.operator };
    }
  }
  const message = 'no operator signed the order who is enrolled here as approver or admin; nothing was dropped';
  throw new InstallError('PRUNE_NOT_APPROVED', message, { fault: 'refused' });
}
