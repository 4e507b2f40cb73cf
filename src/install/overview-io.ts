import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '../core/digest.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { checkFreshness } from '../verify/checks/freshness.ts';
import { VerifyError } from '../verify/errors.ts';
import { judgeHeads, type KnownHeads, type Place, placeIn } from '../verify/heads.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import type { Revocation } from '../verify/standing.ts';
import type { DataLayout } from './layout.ts';
import { newestPartial, payloadOfPartial } from './partial-io.ts';
import { revokedAt } from './standing.ts';
import type { HeldBundle, InstallState } from './state.ts';
import { openStoredBundle } from './stored-bundle-io.ts';

/** How new what is active can be shown to be, at the floor of now. */
export type ChannelFreshness = {
  readonly status: 'fresh' | 'not-provable' | 'expired';
  readonly reason: string;
  readonly asOf?: Time;
};

export type ListedBundle = HeldBundle & { readonly revoked?: Revocation };

export type ListedChannel = {
  readonly channel: string;
  readonly highest: HeldBundle;
  readonly active: ListedBundle;
  readonly previous?: ListedBundle;
  readonly freshness: ChannelFreshness;
  /** What the accepted heads statement names. */
  readonly newest?: Place & { readonly asOf: Time };
};

/** A bundle whose statement was verified and of which some files are here, since an apply was interrupted. */
export type WaitingBundle = { readonly payload: Digest; readonly bytes: number };

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
  const waiting = waitingIn(layout.staging);
  if (root === undefined) return { channels: [], waiting };
  const heads = judgeHeads(root, state.heads?.envelope, state.floor);
  const known = 'document' in heads ? heads.document : undefined;
  const standing = (channel: string, held: HeldBundle): ListedBundle => {
    const revoked = revokedAt(root, state, channel, held);
    return revoked === undefined ? held : { ...held, revoked };
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

function waitingIn(staging: string): WaitingBundle[] {
  try {
    const name = existsSync(staging) ? newestPartial(staging) : undefined;
    if (name === undefined) return [];
    const sizes = readdirSync(join(staging, name)).map((file) => spaceOf(join(staging, name, file)));
    return [{ payload: payloadOfPartial(name), bytes: sizes.reduce((sum, size) => sum + size, 0) }];
  } catch (cause) {
    throw durableErrorFrom(cause, 'look into', staging);
  }
}

/** A file in chunks has its full size from the start, and holes where chunks are lacking. */
function spaceOf(path: string): number {
  const { size, blocks } = lstatSync(path);
  return Math.min(size, blocks * 512);
}
