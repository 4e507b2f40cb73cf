import { type Envelope, signingKeys } from '../core/dsse.ts';
import { laterTime, type Time } from '../core/time.ts';
import { type LogOrder, type Order, type OrderKind, parseOrder } from '../ledger/orders.ts';
import { admit, operatorOf } from '../verify/enrolment-admission.ts';
import { assertRootNotExpired } from '../verify/root-chain.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { InstallError } from './errors.ts';

/** Who may order that something of a log is destroyed. */
const APPROVERS = ['operator:approver', 'operator:admin'] as const;

/**
 * An order about a log that an operator stands behind who may: enrolled under the trust root as approver or admin, and
 * not revoked. Whether it is for this log is for who carries it out to say.
 * @param enrolments that are known; each counts only if it verifies at `floor`
 * @throws LedgerError ORDER_MALFORMED; InstallError ORDER_NOT_APPROVED; VerifyError when the root has expired
 */
export function approvedOrder<T extends LogOrder>(
  kind: OrderKind<T>,
  envelope: Envelope,
  trust: { readonly root: TrustRoot; readonly enrolments: readonly Uint8Array[]; readonly floor: Time },
): Order<T> & { readonly operator: string } {
  const order = parseOrder(kind, envelope);
  const floor = laterTime(trust.floor, trust.root.document.issuedAt);
  assertRootNotExpired(trust.root, floor);
  const admissions = admit(trust.root, trust.enrolments, floor);
  const keys = admissions.operators.flatMap((operator) => operator.keys);
  for (const { keyid } of signingKeys(envelope, keys)) {
    for (const role of APPROVERS) {
      const operator = operatorOf(admissions, role, keyid);
      if (operator !== undefined) return { ...order, operator: operator.operator };
    }
  }
  const message = 'no operator signed the order who is enrolled here as approver or admin; nothing was done';
  throw new InstallError('ORDER_NOT_APPROVED', message, { fault: 'refused' });
}
