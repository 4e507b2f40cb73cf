import type { Signer } from '../core/checks.ts';
import type { Digest } from '../core/digest.ts';
import { type Envelope, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { laterTime, type Time } from '../core/time.ts';
import { assertAuthority, assertTimely } from './authority.ts';
import {
  ENROLMENT_PAYLOAD_TYPE,
  type Enrolment,
  MAX_ENROLMENT_BYTES,
  parseEnrolmentPayload,
} from './enrolment-document.ts';
import { enrolmentMalformed } from './enrolment-errors.ts';
import { assertRootNotExpired } from './root-chain.ts';
import type { TrustRoot } from './root-document.ts';

/** An enrolment that holders of `enrol` stand behind. */
export type VerifiedEnrolment = Enrolment & {
  /** Digest of the payload: the enrolment's identity. */
  readonly payload: Digest;
  /** The holders that count. */
  readonly signers: readonly Signer[];
};

/** The envelope alone, its payload not looked at. @throws EnrolmentError ENROLMENT_MALFORMED */
export function parseEnrolmentEnvelope(bytes: Uint8Array): Envelope {
  try {
    return parseEnvelope(bytes, ENROLMENT_PAYLOAD_TYPE, MAX_ENROLMENT_BYTES);
  } catch (cause) {
    throw enrolmentMalformed(messageOf(cause), cause);
  }
}

/**
 * Whether an enrolment counts under a trust root: enough holders of `enrol`, with keys that are neither revoked nor
 * past their end, signed exactly this payload, and it has not expired at the floor. It lasts no longer than its
 * signers: once their keys are revoked, it has to be signed anew.
 * @param root the newest that is pinned where this is judged
 * @param floor the latest moment known to have passed
 * @throws EnrolmentError ENROLMENT_MALFORMED; VerifyError ROOT_EXPIRED, UNSIGNED, NO_TRUSTED_SIGNATURE, ROLE_NOT_HELD,
 *   THRESHOLD_NOT_MET, KEY_REVOKED, KEY_EXPIRED, PAYLOAD_REVOKED, ISSUED_AFTER_ROOT_EXPIRES or EXPIRED
 */
export function verifyEnrolment(root: TrustRoot, bytes: Uint8Array, floor: Time): VerifiedEnrolment {
  assertRootNotExpired(root, floor);
  const envelope = parseEnrolmentEnvelope(bytes);
  const signers = assertAuthority(root, 'enrol', 'enrolment', envelope);
  const enrolment = parseEnrolmentPayload(envelope.payload);
  const known = laterTime(floor, root.document.issuedAt);
  const counting = assertTimely(root, 'enrol', 'enrolment', enrolment.document, signers, known);
  return { ...enrolment, payload: payloadDigest(envelope), signers: counting };
}
