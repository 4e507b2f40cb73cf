import type { Digest } from '../core/digest.ts';
import type { KeyId } from '../core/keys.ts';
import { laterTime, type Time } from '../core/time.ts';

/** A bundle as the install log names it. */
export type HeldBundle = { readonly seq: number; readonly payload: Digest };

export type ChannelState = {
  /** The highest seq ever accepted; it never falls, whatever is active. */
  readonly highest: HeldBundle;
  readonly active: HeldBundle;
  readonly previous?: HeldBundle;
};

/**
 * What this enclave holds and has seen. It is nothing but the fold of the install log's entries, so it can't be
 * edited without breaking the log: the log is the truth, files and links are its consequence.
 */
export type InstallState = {
  /** The latest moment known to have passed. */
  readonly floor: Time;
  readonly root?: { readonly version: number; readonly payload: Digest };
  readonly channels: ReadonlyMap<string, ChannelState>;
};

/** Entries of the install log that change the state; `data` as in `schemas/event.schema.json`. */
export type InstallEvent =
  | { readonly type: 'trust.pinned' | 'trust.rotated'; readonly data: TrustEvent }
  | { readonly type: 'bundle.applied'; readonly data: BundleAppliedEvent }
  | { readonly type: 'bundle.refused'; readonly data: BundleRefusedEvent };

export type TrustEvent = {
  readonly version: number;
  readonly payload: Digest;
  readonly expires: Time;
  readonly floor: Time;
};

export type BundleAppliedEvent = {
  readonly kind: string;
  readonly channel: string;
  readonly seq: number;
  readonly payload: Digest;
  readonly root_version: number;
  readonly floor: Time;
  readonly files: number;
  readonly bytes: number;
  readonly signers: readonly KeyId[];
};

export type BundleRefusedEvent = {
  readonly check: string;
  readonly code: string;
  readonly reason: string;
  readonly payload?: Digest;
  readonly channel?: string;
  readonly seq?: number;
};

/** @param builtAt build time of the program: the floor of a machine that has seen nothing */
export function initialState(builtAt: Time): InstallState {
  return { floor: builtAt, channels: new Map() };
}

/** The state after one more entry. Entries of other types change nothing. */
export function foldEvent(state: InstallState, event: { readonly type: string; readonly data: unknown }): InstallState {
  switch (event.type) {
    case 'trust.pinned':
    case 'trust.rotated': {
      const { version, payload, floor } = event.data as TrustEvent;
      return { ...state, root: { version, payload }, floor: laterTime(state.floor, floor) };
    }
    case 'bundle.applied':
      return foldApplied(state, event.data as BundleAppliedEvent);
    default:
      return state;
  }
}

function foldApplied(state: InstallState, applied: BundleAppliedEvent): InstallState {
  const bundle = { seq: applied.seq, payload: applied.payload };
  const before = state.channels.get(applied.channel);
  const highest = before === undefined || bundle.seq > before.highest.seq ? bundle : before.highest;
  const previous = before?.active;
  const channel = { highest, active: bundle, ...(previous === undefined ? {} : { previous }) };
  return {
    ...state,
    floor: laterTime(state.floor, applied.floor),
    channels: new Map([...state.channels, [applied.channel, channel]]),
  };
}
