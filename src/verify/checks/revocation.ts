import type { BundleStatement } from '../../bundle/statement.ts';
import type { Signer } from '../../core/checks.ts';
import type { Digest } from '../../core/digest.ts';
import type { PublicKey } from '../../core/keys.ts';
import { laterTime, type Time } from '../../core/time.ts';
import { VerifyError } from '../errors.ts';
import { ROLE_OF_KIND } from '../role-table.ts';
import type { TrustRoot } from '../root-document.ts';
import { assertThreshold } from './signatures.ts';

/**
 * Whether the bundle still stands once revoked payloads, revoked keys and keys past their `notAfter` are taken away.
 * A key's end is held against the floor, the only time that can't be wound back, and against the moment the statement
 * itself names: a key must not raise the floor past its own end.
 * @returns the signers that still count
 * @throws VerifyError PAYLOAD_REVOKED, KEY_REVOKED or KEY_EXPIRED
 */
export function checkRevocation(
  root: TrustRoot,
  statement: BundleStatement,
  payload: Digest,
  signers: readonly Signer[],
  floor: Time,
): { readonly signers: readonly Signer[]; readonly reason: string } {
  if (root.revokedPayloads.has(payload)) {
    throw new VerifyError('PAYLOAD_REVOKED', `this bundle was revoked by trust root ${root.version}`);
  }
  const role = ROLE_OF_KIND[statement.kind];
  const unrevoked = signers.filter(({ keyid }) => !root.revokedKeys.has(keyid));
  assertThreshold(root, role, keysOf(root, unrevoked), 'KEY_REVOKED');
  const known = laterTime(floor, statement.issuedAt);
  const unexpired = unrevoked.filter(({ keyid }) => !isPast(root.keys.get(keyid)?.notAfter, known));
  assertThreshold(root, role, keysOf(root, unexpired), 'KEY_EXPIRED');
  const reason = `neither the bundle nor the keys it needs are revoked in trust root ${root.version}`;
  return { signers: unexpired, reason };
}

function isPast(notAfter: Time | undefined, known: Time): boolean {
  return notAfter !== undefined && notAfter < known;
}

function keysOf(root: TrustRoot, signers: readonly Signer[]): PublicKey[] {
  return signers.flatMap(({ keyid }) => root.keys.get(keyid)?.key ?? []);
}
