import type { PublicKey } from '../core/keys.ts';
import { VerifyError } from './errors.ts';
import type { Role } from './role-table.ts';
import type { RoleGrant, TrustRoot } from './root-document.ts';

/** Whether a grant covers a channel: no list means every channel; `a/*` means anything below `a`. */
export function coversChannel(grant: RoleGrant, channel: string): boolean {
  if (grant.channels === undefined) return true;
  return grant.channels.some((pattern) => {
    if (pattern === '*') return true;
    return pattern.endsWith('/*') ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern;
  });
}

/**
 * How many distinct holders stand behind a set of keys: operators where keys name one, public keys otherwise.
 * Two keys of one operator are one voice; so is one key listed twice.
 */
export function countHolders(root: TrustRoot, keys: readonly PublicKey[]): number {
  return new Set(keys.map(({ keyid }) => holderOf(root, keyid))).size;
}

/** Who a key speaks for. The prefixes keep an operator from being named like a keyid. */
export function holderOf(root: TrustRoot, keyid: string): string {
  const operator = root.keys.get(keyid)?.operator;
  return operator === undefined ? `key:${keyid}` : `operator:${operator}`;
}

/** The keys a role names, in its order. @throws VerifyError ROLE_NOT_HELD when the root doesn't grant the role */
export function keysOfRole(root: TrustRoot, role: Role): PublicKey[] {
  const grant = root.roles.get(role);
  if (grant === undefined) throw new VerifyError('ROLE_NOT_HELD', `the trust root grants nobody the role ${role}`);
  return grant.keyids.flatMap((keyid) => root.keys.get(keyid)?.key ?? []);
}
