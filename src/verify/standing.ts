import { isBundleKind } from '../bundle/format.ts';
import type { Digest } from '../core/digest.ts';
import type { KeyId } from '../core/keys.ts';
import { count } from '../core/wording.ts';
import { countHolders, coversChannel } from './holders.ts';
import { ROLE_OF_KIND } from './role-table.ts';
import type { RoleGrant, TrustRoot } from './root-document.ts';

/** A reason is one line of a log. */
const MAX_NAMED = 3;

/** A bundle that was accepted here once. */
export type AcceptedBundle = {
  readonly channel: string;
  readonly payload: Digest;
  /** Whose signatures counted then; undefined when nobody wrote it down. */
  readonly signers: readonly KeyId[] | undefined;
};

/** Why a bundle that was accepted is not to be believed any more. */
export type Revocation = { readonly code: 'PAYLOAD_REVOKED' | 'KEY_REVOKED'; readonly reason: string };

/**
 * Whether the newest trust root has taken back a bundle that was accepted under an older one: the bundle itself, or so
 * many of its signers that the rest are not enough by the measure of that root.
 *
 * Only revocation does that. A bundle whose signers have merely handed over, or whose time has run out, stays in use:
 * an enclave must not go blind because nobody came with a stick. Heads of logs for which a revoked key still counts
 * (`validThrough`) say nothing about bundles, which carry no time that its thief could not have written.
 * @param root the newest that is pinned here
 * @returns undefined when it stands
 */
export function revocationOf(root: TrustRoot, { channel, payload, signers }: AcceptedBundle): Revocation | undefined {
  const by = `trust root ${root.version} revokes`;
  if (root.revokedPayloads.has(payload)) return { code: 'PAYLOAD_REVOKED', reason: `${by} this bundle` };
  if (root.revokedKeys.size === 0) return undefined;
  if (signers === undefined) {
    return { code: 'KEY_REVOKED', reason: `${by} keys, and the log does not say who signed this bundle` };
  }
  const revoked = signers.filter((keyid) => root.revokedKeys.has(keyid));
  if (revoked.length === 0) return undefined;
  const grant = grantFor(root, channel);
  const counting = signers.flatMap((keyid) => {
    const counts = grant?.keyids.includes(keyid) === true && !root.revokedKeys.has(keyid);
    return counts ? (root.keys.get(keyid)?.key ?? []) : [];
  });
  const holders = countHolders(root, counting);
  if (grant !== undefined && holders >= grant.threshold) return undefined;
  const named = revoked.slice(0, MAX_NAMED).map((keyid) => nameOf(root, keyid));
  const more = revoked.length > MAX_NAMED ? ', …' : '';
  const needed = grant === undefined ? 'nobody may sign such a bundle now' : `${grant.threshold} are needed`;
  const left = `without it ${count(holders, 'holder')} signed, and ${needed}`;
  return { code: 'KEY_REVOKED', reason: `${by} the key of ${named.join(', ')}${more}; ${left}` };
}

/** What the root grants to who signs bundles of this channel, the first segment of which is their kind. */
function grantFor(root: TrustRoot, channel: string): RoleGrant | undefined {
  const [kind = ''] = channel.split('/');
  const grant = isBundleKind(kind) ? root.roles.get(ROLE_OF_KIND[kind]) : undefined;
  return grant !== undefined && coversChannel(grant, channel) ? grant : undefined;
}

function nameOf(root: TrustRoot, keyid: KeyId): string {
  return root.keys.get(keyid)?.operator ?? `${keyid.slice(0, 8)}…`;
}
