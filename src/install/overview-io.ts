import { type Medium, parseMedium } from '../bundle/medium.ts';
import type { Time } from '../core/time.ts';
import { checkFreshness } from '../verify/checks/freshness.ts';
import { VerifyError } from '../verify/errors.ts';
import { judgeHeads, type KnownHeads, type Place, placeIn } from '../verify/heads.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import type { Revocation } from '../verify/standing.ts';
import type { DataLayout } from './layout.ts';
import { revokedAt } from './standing.ts';
import type { HeldBundle, InstallState } from './state.ts';
import { openStoredBundle } from './stored-bundle-io.ts';
import { type WaitingBundle, waitingBundles } from './waiting-io.ts';

/** How new what is active can be shown to be, at the floor of now. */
export type ChannelFreshness = {
  readonly status: 'fresh' | 'not-provable' | 'expired';
  readonly reason: string;
  readonly asOf?: Time;
};

export type ListedBundle = HeldBundle & {
  readonly revoked?: Revocation;
  /** What it came on, in that order. */
  readonly media?: readonly Medium[];
};

export type ListedChannel = {
  readonly channel: string;
  readonly highest: HeldBundle;
  readonly active: ListedBundle;
  readonly previous?: ListedBundle;
  readonly freshness: ChannelFreshness;
  /** What the accepted heads statement names. */
  readonly newest?: Place & { readonly asOf: Time };
};

/** All that an operator asks of an enclave at a glance. */
export type Overview = {
  readonly channels: readonly ListedChannel[];
  readonly waiting: readonly WaitingBundle[];
};

/**
 * @param root the newest that is pinned; without one there is no channel
 * @throws InstallError STATE_TAMPERED; DurableError
 */
export function overviewOf(layout: DataLayout, state: InstallState, root: TrustRoot | undefined): Overview {
  const waiting = waitingBundles(layout, state);
  if (root === undefined) return { channels: [], waiting };
  const heads = judgeHeads(root, state.heads?.envelope, state.floor);
  const known = 'document' in heads ? heads.document : undefined;
  const standing = (channel: string, held: HeldBundle): ListedBundle => {
    const revoked = revokedAt(root, state, channel, held);
    const media = state.media.get(held.payload)?.map(parseMedium);
    return {
      ...held,
      ...(revoked === undefined ? {} : { revoked }),
      ...(media === undefined ? {} : { media }),
    };
  };
  const channels = [...state.channels].map(([channel, { highest, active, previous }]) => {
    const newest = placeIn(known, channel);
    return {
      channel,
      highest,
      active: standing(channel, active),
      ...(previous === undefined ? {} : { previous: standing(channel, previous) }),
      freshness: freshnessOf(layout, state, channel, active, heads),
      ...(newest === undefined || known === undefined ? {} : { newest: { ...newest, asOf: known.issuedAt } }),
    };
  });
  return { channels, waiting };
}

function freshnessOf(
  layout: DataLayout,
  { floor }: InstallState,
  channel: string,
  active: HeldBundle,
  heads: KnownHeads,
): ChannelFreshness {
  const { statement, payload } = openStoredBundle(layout, channel, active);
  try {
    const { status, reason, asOf } = checkFreshness(statement, payload, floor, heads);
    return { status: status === 'fresh' ? 'fresh' : 'not-provable', reason, ...(asOf === undefined ? {} : { asOf }) };
  } catch (error) {
    if (!(error instanceof VerifyError)) throw error;
    return { status: 'expired', reason: error.message };
  }
}
