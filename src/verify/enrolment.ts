import type { Signer } from '../core/checks.ts';
import type { Digest } from '../core/digest.ts';
import { type Envelope, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import type { PublicKey } from '../core/keys.ts';
import { laterTime, type Time } from '../core/time.ts';
import { assertThreshold, knownSigners } from './checks/signatures.ts';
import {
  ENROLMENT_PAYLOAD_TYPE,
  type Enrolment,
  MAX_ENROLMENT_BYTES,
  parseEnrolmentPayload,
} from './enrolment-document.ts';
import { enrolmentMalformed } from './enrolment-errors.ts';
import { VerifyError } from './errors.ts';
import { keysOfRole } from './holders.ts';
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
  if (envelope.signatures.length === 0) throw new VerifyError('UNSIGNED', 'the enrolment is not signed');
  const held = new Set(keysOfRole(root, 'enrol').map(({ keyid }) => keyid));
  const signers = knownSigners(root, envelope).filter(({ keyid }) => held.has(keyid));
  if (signers.length === 0) throw new VerifyError('ROLE_NOT_HELD', 'no signer of the enrolment holds the role enrol');
  assertThreshold(root, 'enrol', signers, 'THRESHOLD_NOT_MET');
  const unrevoked = signers.filter(({ keyid }) => !root.revokedKeys.has(keyid));
  assertThreshold(root, 'enrol', unrevoked, 'KEY_REVOKED');
  const payload = payloadDigest(envelope);
  if (root.revokedPayloads.has(payload)) {
    throw new VerifyError('PAYLOAD_REVOKED', `this enrolment was revoked by trust root ${root.version}`);
  }
  const enrolment = parseEnrolmentPayload(envelope.payload);
  const counting = assertTimes(root, enrolment, unrevoked, laterTime(floor, root.document.issuedAt));
  return { ...enrolment, payload, signers: counting.map((key) => signerOf(root, key)) };
}

/** @returns the signers whose keys have not ended */
function assertTimes(root: TrustRoot, { document }: Enrolment, signers: PublicKey[], floor: Time): PublicKey[] {
  const { issuedAt, expires } = document;
  if (issuedAt > root.expires) {
    const message = `enrolled at ${issuedAt}, after the trust root expires (${root.expires}): a wrong clock`;
    throw new VerifyError('ISSUED_AFTER_ROOT_EXPIRES', message);
  }
  const known = laterTime(floor, issuedAt);
  const unexpired = signers.filter(({ keyid }) => {
    const notAfter = root.keys.get(keyid)?.notAfter;
    return notAfter === undefined || notAfter >= known;
  });
  assertThreshold(root, 'enrol', unexpired, 'KEY_EXPIRED');
  if (expires !== undefined && expires < floor) {
    throw new VerifyError('EXPIRED', `the enrolment expired at ${expires}; it is at least ${floor}`);
  }
  return unexpired;
}

function signerOf(root: TrustRoot, { keyid }: PublicKey): Signer {
  const operator = root.keys.get(keyid)?.operator;
  return { keyid, role: 'enrol', ...(operator === undefined ? {} : { operator }) };
}
