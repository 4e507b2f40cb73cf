import type { TrustRoot } from '../verify/root-document.ts';
import { type Revocation, revocationOf } from '../verify/standing.ts';
import type { HeldBundle, InstallState } from './state.ts';

/** A bundle that lies here and that the trust root no longer stands behind. */
export type RevokedBundle = HeldBundle & Revocation & { readonly channel: string };

/** Whether one bundle of a channel is revoked, active or not. @param root the newest that is pinned here */
export function revokedAt(
  root: TrustRoot,
  state: InstallState,
  channel: string,
  { payload }: HeldBundle,
): Revocation | undefined {
  return revocationOf(root, { channel, payload, signers: state.signers.get(payload) });
}

/**
 * The active bundles that are not to be believed any more, in the order of their channels' bytes. They stay where they
 * are, and stay active: what is deleted can't be looked at. But nothing of them is loaded.
 * @param root the newest that is pinned here
 */
export function revokedBundles(root: TrustRoot, state: InstallState): readonly RevokedBundle[] {
  return [...state.channels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([channel, { active }]) => {
      const revocation = revokedAt(root, state, channel, active);
      return revocation === undefined ? [] : [{ channel, ...active, ...revocation }];
    });
}

/** One sentence for people; a channel's name is harmless. */
export function sayRevoked({ channel, seq, reason }: RevokedBundle): string {
  return `${channel} seq ${seq} is not loaded: ${reason}`;
}
