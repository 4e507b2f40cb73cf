import { DaemonEyeError } from '../core/errors.ts';
import type { KeyId } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import { parseEnrolmentEnvelope, type VerifiedEnrolment, verifyEnrolment } from './enrolment.ts';
import {
  type EnrollableRole,
  type EnrolledLog,
  type EnrolledOperator,
  type EnrolledReceiptKey,
  parseEnrolmentPayload,
} from './enrolment-document.ts';
import type { TrustRoot } from './root-document.ts';

/** An enrolment that was looked at and does not count. */
export type RejectedEnrolment = {
  readonly error: DaemonEyeError;
  /** The keys it would admit, by its own unverified word: only to tell which refusal belongs to which key. */
  readonly claimed: readonly KeyId[];
};

/** Whom a set of enrolments admits under one trust root. */
export type Admissions = {
  readonly logs: readonly EnrolledLog[];
  readonly operators: readonly EnrolledOperator[];
  readonly receipts: readonly EnrolledReceiptKey[];
  readonly verified: readonly VerifiedEnrolment[];
  readonly rejected: readonly RejectedEnrolment[];
  /** Keys that the trust root revokes: an enrolment that names one still counts for its other keys. */
  readonly revoked: ReadonlySet<KeyId>;
};

/**
 * Judges enrolments under a trust root, wherever they were found: only what verifies counts, so it doesn't matter that
 * some of them travelled with what they are meant to admit.
 */
export function admit(root: TrustRoot, documents: readonly Uint8Array[], floor: Time): Admissions {
  const verified: VerifiedEnrolment[] = [];
  const rejected: RejectedEnrolment[] = [];
  for (const bytes of documents) {
    try {
      verified.push(verifyEnrolment(root, bytes, floor));
    } catch (error) {
      if (!(error instanceof DaemonEyeError)) throw error;
      rejected.push({ error, claimed: claimedBy(bytes) });
    }
  }
  const logs = verified.flatMap((enrolment) => enrolment.logs);
  const operators = verified.flatMap(({ operator }) => operator ?? []);
  const receipts = verified.flatMap(({ receipt }) => receipt ?? []);
  return { logs, operators, receipts, verified, rejected, revoked: root.revokedKeys };
}

function claimedBy(bytes: Uint8Array): KeyId[] {
  try {
    const { logs, operator } = parseEnrolmentPayload(parseEnrolmentEnvelope(bytes).payload);
    return [...logs.map(({ key }) => key), ...(operator?.keys ?? [])].map(({ keyid }) => keyid);
  } catch {
    // It says nothing that could be understood, so it claims nobody.
    return [];
  }
}

/** The operator, with a role given by an enrolment, whose key this is; a revoked key is nobody's. */
export function operatorOf(admissions: Admissions, role: EnrollableRole, keyid: KeyId): EnrolledOperator | undefined {
  if (admissions.revoked.has(keyid)) return undefined;
  return admissions.operators.find(
    ({ roles, keys }) => roles.includes(role) && keys.some((key) => key.keyid === keyid),
  );
}
