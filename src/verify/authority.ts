import type { Signer } from '../core/checks.ts';
import { type Envelope, payloadDigest } from '../core/dsse.ts';
import type { PublicKey } from '../core/keys.ts';
import { laterTime, type Time } from '../core/time.ts';
import { assertThreshold, knownSigners } from './checks/signatures.ts';
import { VerifyError } from './errors.ts';
import { keysOfRole } from './holders.ts';
import type { Role } from './role-table.ts';
import type { TrustRoot } from './root-document.ts';

/**
 * Whether enough holders of a role, with keys that are not revoked, signed exactly this payload, and it is not revoked
 * itself. Made before the payload is parsed.
 * @param name what the document is called: "enrolment"
 * @returns the signers that count
 * @throws VerifyError UNSIGNED, NO_TRUSTED_SIGNATURE, ROLE_NOT_HELD, THRESHOLD_NOT_MET, KEY_REVOKED or PAYLOAD_REVOKED
 */
export function assertAuthority(root: TrustRoot, role: Role, name: string, envelope: Envelope): readonly PublicKey[] {
  if (envelope.signatures.length === 0) throw new VerifyError('UNSIGNED', `the ${name} is not signed`);
  const held = new Set(keysOfRole(root, role).map(({ keyid }) => keyid));
  const signers = knownSigners(root, envelope).filter(({ keyid }) => held.has(keyid));
  if (signers.length === 0) throw new VerifyError('ROLE_NOT_HELD', `no signer of the ${name} holds the role ${role}`);
  assertThreshold(root, role, signers, 'THRESHOLD_NOT_MET');
  const unrevoked = signers.filter(({ keyid }) => !root.revokedKeys.has(keyid));
  assertThreshold(root, role, unrevoked, 'KEY_REVOKED');
  if (root.revokedPayloads.has(payloadDigest(envelope))) {
    throw new VerifyError('PAYLOAD_REVOKED', `this ${name} was revoked by trust root ${root.version}`);
  }
  return unrevoked;
}

/**
 * Whether a document's own times let it count: not issued after its trust root expires (one wrong clock must not push
 * the floor ahead), not expired at the floor, and still enough signers without those whose keys have ended.
 * @param floor the latest moment known to have passed
 * @returns the signers that count
 * @throws VerifyError ISSUED_AFTER_ROOT_EXPIRES, KEY_EXPIRED or EXPIRED
 */
export function assertTimely(
  root: TrustRoot,
  role: Role,
  name: string,
  { issuedAt, expires }: { readonly issuedAt: Time; readonly expires?: Time },
  signers: readonly PublicKey[],
  floor: Time,
): readonly Signer[] {
  if (issuedAt > root.expires) {
    const message = `the ${name} was issued at ${issuedAt}, after its trust root expires (${root.expires}): a wrong clock`;
    throw new VerifyError('ISSUED_AFTER_ROOT_EXPIRES', message);
  }
  const known = laterTime(floor, issuedAt);
  const unexpired = signers.filter(({ keyid }) => {
    const notAfter = root.keys.get(keyid)?.notAfter;
    return notAfter === undefined || notAfter >= known;
  });
  assertThreshold(root, role, unexpired, 'KEY_EXPIRED');
  if (expires !== undefined && expires < floor) {
    throw new VerifyError('EXPIRED', `the ${name} expired at ${expires}; it is at least ${floor}`);
  }
  return unexpired.map(({ keyid }) => {
    const operator = root.keys.get(keyid)?.operator;
    return { keyid, role, ...(operator === undefined ? {} : { operator }) };
  });
}
