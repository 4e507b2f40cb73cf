import { type Envelope, signingKeys } from '../core/dsse.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { laterTime, type Time } from '../core/time.ts';
import { type LogOrder, type Order, type OrderKind, parseOrder } from '../ledger/orders.ts';
import { admit, operatorOf } from '../verify/enrolment-admission.ts';
import { assertRootNotExpired } from '../verify/root-chain.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { InstallError } from './errors.ts';

/** Who may order that something of a log is destroyed. */
const APPROVERS = ['operator:approver', 'operator:admin'] as const;

/** Under what an order is judged. */
export type OrderTrust = {
  readonly root: TrustRoot;
  /** Those that are known; each counts only if it verifies at `floor`. */
  readonly enrolments: readonly Uint8Array[];
  readonly floor: Time;
};

export type Approved<T extends LogOrder> = Order<T> & {
  /** The first of {@link operators}. */
  readonly operator: string;
  /** All who stand behind it and may, once each however many keys they signed with. */
  readonly operators: readonly string[];
};

/**
 * An order about a log that operators stand behind who may: enrolled under the trust root as approver or admin, and
 * not revoked. Whether it is for this log is for who carries it out to say.
 * @param needed how many operators must
 * @throws LedgerError ORDER_MALFORMED; InstallError ORDER_NOT_APPROVED; VerifyError when the root has expired
 */
export function approvedOrder<T extends LogOrder>(
  kind: OrderKind<T>,
  envelope: Envelope,
  trust: OrderTrust,
  needed = 1,
): Approved<T> {
  const order = parseOrder(kind, envelope);
  const operators = approversOf(envelope, trust);
  const [operator] = operators;
  if (operator !== undefined && operators.length >= needed) return { ...order, operator, operators };
  const who = operators.map(escapeForTerminal).join(', ');
  const message =
    operator === undefined
      ? 'no operator signed the order who is enrolled here as approver or admin; nothing was done'
      : `the order needs ${needed} approvers (approvals.prune) and has ${operators.length}, ${who}; nothing was done: have it signed (ledger approve)`;
  throw new InstallError('ORDER_NOT_APPROVED', message, { fault: 'refused' });
}

function approversOf(envelope: Envelope, { root, enrolments, floor: known }: OrderTrust): string[] {
  const floor = laterTime(known, root.document.issuedAt);
  assertRootNotExpired(root, floor);
  const admissions = admit(root, enrolments, floor);
  const keys = admissions.operators.flatMap((operator) => operator.keys);
  const names = signingKeys(envelope, keys).flatMap(({ keyid }) => {
    const operator = APPROVERS.map((role) => operatorOf(admissions, role, keyid)).find((known) => known !== undefined);
    return operator === undefined ? [] : [operator.operator];
  });
  return [...new Set(names)];
}
