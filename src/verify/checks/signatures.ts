import type { BundleStatement } from '../../bundle/statement.ts';
import type { Signer } from '../../core/checks.ts';
import { type Envelope, signingKeys } from '../../core/dsse.ts';
import type { PublicKey } from '../../core/keys.ts';
import { count } from '../../core/wording.ts';
import { VerifyError } from '../errors.ts';
import { countHolders, coversChannel, keysOfRole } from '../holders.ts';
import { ROLE_OF_KIND, type Role } from '../role-table.ts';
import type { TrustRoot } from '../root-document.ts';

/** The keys of the root, whatever their role, that validly signed the envelope. */
export function knownSigners(root: TrustRoot, envelope: Envelope): readonly PublicKey[] {
  const signers = signingKeys(
    envelope,
    [...root.keys.values()].map(({ key }) => key),
  );
  if (signers.length > 0) return signers;
  const claimed = envelope.signatures.filter(({ keyid }) => root.keys.has(keyid)).length;
  throw new VerifyError(
    'NO_TRUSTED_SIGNATURE',
    claimed > 0
      ? 'the signatures do not match the statement: it was changed after signing'
      : 'no signature is by a key of the trust root',
  );
}

/**
 * Whether enough holders of the role that this kind and channel need are among the signers.
 * @returns the signers that count, and how many holders that makes
 * @throws VerifyError CHANNEL_OF_OTHER_KIND, ROLE_NOT_HELD (none of the signers may sign this) or THRESHOLD_NOT_MET
 */
export function checkSignatures(
  root: TrustRoot,
  statement: BundleStatement,
  signers: readonly PublicKey[],
): { readonly signers: readonly Signer[]; readonly reason: string } {
  const role = ROLE_OF_KIND[statement.kind];
  const counted = signersInRole(root, role, signers);
  const grant = root.roles.get(role);
  if (counted.length === 0 || grant === undefined) {
    throw new VerifyError('ROLE_NOT_HELD', `no signer holds the role ${role}, which a bundle of this kind needs`);
  }
  // Otherwise signers of rules could take a place in the sequence of a channel of updates, and hold it for good.
  if (statement.channel.split('/')[0] !== statement.kind) {
    const reason = `a bundle of kind ${statement.kind} belongs on a channel ${statement.kind}/…, not ${statement.channel}`;
    throw new VerifyError('CHANNEL_OF_OTHER_KIND', reason);
  }
  if (!coversChannel(grant, statement.channel)) {
    throw new VerifyError('ROLE_NOT_HELD', `the role ${role} does not cover the channel ${statement.channel}`);
  }
  assertThreshold(root, role, counted, 'THRESHOLD_NOT_MET');
  const signed = counted.map(({ keyid }) => {
    const operator = root.keys.get(keyid)?.operator;
    return { keyid, role, ...(operator === undefined ? {} : { operator }) };
  });
  const reason = `${count(countHolders(root, counted), 'holder')} of the role ${role} signed; ${grant.threshold} needed`;
  return { signers: signed, reason };
}

function signersInRole(root: TrustRoot, role: Role, signers: readonly PublicKey[]): PublicKey[] {
  const held = new Set(keysOfRole(root, role).map(({ keyid }) => keyid));
  return signers.filter(({ keyid }) => held.has(keyid));
}

/** @throws VerifyError with `code` when fewer distinct holders than the role's threshold stand behind `keys` */
export function assertThreshold(
  root: TrustRoot,
  role: Role,
  keys: readonly PublicKey[],
  code: 'THRESHOLD_NOT_MET' | 'KEY_REVOKED' | 'KEY_EXPIRED',
): void {
  const threshold = root.roles.get(role)?.threshold ?? Number.POSITIVE_INFINITY;
  const holders = countHolders(root, keys);
  if (holders >= threshold) return;
  const without = { THRESHOLD_NOT_MET: '', KEY_REVOKED: ' unrevoked', KEY_EXPIRED: ' unexpired' }[code];
  throw new VerifyError(code, `signed by ${holders}${without} of the ${threshold} holders that the role ${role} needs`);
}
