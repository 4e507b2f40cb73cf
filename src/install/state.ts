import type { Digest } from '../core/digest.ts';
import { type Envelope, payloadDigest } from '../core/dsse.ts';
import { parseEmbeddedEnvelope } from '../core/embedded-envelope.ts';
import type { CarriedData, EventData, MediumData, TrustData } from '../core/event-data.ts';
import type { KeyId } from '../core/keys.ts';
import { laterTime, type Time } from '../core/time.ts';
import type { Place } from '../verify/heads.ts';
import { MAX_REFUSED, type RefusedBundle } from '../verify/receipt.ts';

/** A bundle as the install log names it. */
export type HeldBundle = Place;

export type ChannelState = {
  /** The highest seq ever accepted; it never falls, whatever is active. */
  readonly highest: HeldBundle;
  readonly active: HeldBundle;
  /** What was active before, as long as one may go back to it: after going back there is none. */
  readonly previous?: HeldBundle;
};

/** The newest heads statement that answered a receipt of this enclave. */
export type AcceptedHeads = { readonly envelope: Envelope; readonly issuedAt: Time };

/**
 * What this enclave holds and has seen. It is nothing but the fold of the install log's entries, so it can't be
 * edited without breaking the log: the log is the truth, files and links are its consequence.
 */
export type InstallState = {
  /** Build time of the program: no reset takes the floor below it. */
  readonly builtAt: Time;
  /** The latest moment known to have passed. */
  readonly floor: Time;
  readonly root?: { readonly version: number; readonly payload: Digest };
  readonly channels: ReadonlyMap<string, ChannelState>;
  /** Whose signatures counted when a bundle was accepted, by its payload: the log says it, no file can unsay it. */
  readonly signers: ReadonlyMap<string, readonly KeyId[]>;
  /** What each bundle came on when it was last made active, by its payload; nothing for what was never carried. */
  readonly media: ReadonlyMap<string, readonly MediumData[]>;
  /** Entries since the last receipt of which a new one would tell. */
  readonly untold: number;
  /** Nonces of receipts that nobody has answered yet, the newest last. */
  readonly nonces: readonly string[];
  readonly heads?: AcceptedHeads;
  /** Payloads of statements that count once and were used: heads, downgrades, floor resets. */
  readonly spent: ReadonlySet<string>;
  /** Bundles refused last, the newest last. */
  readonly refused: readonly RefusedBundle[];
};

/** Entries that this room writes into the install log, each signed by itself; `data` as in `schemas/event.schema.json`. */
export type InstallEventType = Extract<
  keyof EventData,
  | 'trust.pinned'
  | 'trust.rotated'
  | 'bundle.applied'
  | 'bundle.refused'
  | 'bundle.rolled-back'
  | 'bundle.revoked'
  | 'receipt.issued'
  | 'heads.accepted'
  | 'floor.reset'
  | 'floor.raised'
  | 'statement.refused'
>;
export type InstallEvent = {
  [Type in InstallEventType]: { readonly type: Type; readonly data: EventData[Type] };
}[InstallEventType];

export type TrustEvent = TrustData;
export type BundleAppliedEvent = EventData['bundle.applied'];
export type BundleRefusedEvent = EventData['bundle.refused'];
export type BundleRolledBackEvent = EventData['bundle.rolled-back'];

/** A courier who loses receipts must not make the state grow: only so many wait for an answer. */
export const MAX_OPEN_RECEIPTS = 64;

/** @param builtAt build time of the program: the floor of a machine that has seen nothing */
export function initialState(builtAt: Time): InstallState {
  return {
    builtAt,
    floor: builtAt,
    channels: new Map(),
    signers: new Map(),
    media: new Map(),
    untold: 0,
    nonces: [],
    spent: new Set(),
    refused: [],
  };
}

type Fold<Type extends InstallEventType> = (state: InstallState, data: EventData[Type]) => InstallState;

const FOLDS: { readonly [Type in InstallEventType]: Fold<Type> } = {
  'trust.pinned': foldRoot,
  'trust.rotated': foldRoot,
  'bundle.applied': foldApplied,
  'bundle.refused': foldRefused,
  'bundle.rolled-back': foldRolledBack,
  // It follows from the root and the bundles; it stands in the log for who reads that.
  'bundle.revoked': (state) => state,
  'receipt.issued': (state, { nonce }) => ({
    ...state,
    nonces: [...state.nonces, nonce].slice(-MAX_OPEN_RECEIPTS),
    untold: 0,
  }),
  'heads.accepted': foldHeads,
  'floor.reset': foldReset,
  'floor.raised': foldFloor,
  'statement.refused': (state) => state,
};

/** Whether an entry of this type is one of ours. */
export function isInstallEvent(type: string): type is InstallEventType {
  return Object.hasOwn(FOLDS, type);
}

/** The state after one more entry. Entries of other types change nothing. */
export function foldEvent(state: InstallState, event: { readonly type: string; readonly data: unknown }): InstallState {
  if (!isInstallEvent(event.type)) return state;
  const fold = FOLDS[event.type] as (state: InstallState, data: unknown) => InstallState;
  const after = fold(state, event.data);
  return TOLD_BY_RECEIPTS.has(event.type) ? { ...after, untold: state.untold + 1 } : after;
}

const TOLD_BY_RECEIPTS: ReadonlySet<InstallEventType> = new Set([
  'trust.rotated',
  'bundle.applied',
  'bundle.refused',
  'bundle.rolled-back',
]);

/** What became active came on these media; without any, on none. */
function mediaWith(
  { media }: InstallState,
  { payload, media: carried }: CarriedData & { readonly payload: Digest },
): InstallState['media'] {
  if (carried === undefined && !media.has(payload)) return media;
  const others = [...media].filter(([known]) => known !== payload);
  return new Map(carried === undefined ? others : [...others, [payload, carried]]);
}

function foldRoot(state: InstallState, { version, payload, floor }: TrustEvent): InstallState {
  return { ...state, root: { version, payload }, floor: laterTime(state.floor, floor) };
}

function foldApplied(state: InstallState, applied: BundleAppliedEvent): InstallState {
  const bundle = { seq: applied.seq, payload: applied.payload };
  const before = state.channels.get(applied.channel);
  const highest = before === undefined || bundle.seq > before.highest.seq ? bundle : before.highest;
  // Applied again, because it was signed anew: what was before it still was.
  const previous = before?.active.payload === bundle.payload ? before.previous : before?.active;
  const channel = { highest, active: bundle, ...(previous === undefined ? {} : { previous }) };
  return {
    ...state,
    floor: laterTime(state.floor, applied.floor),
    channels: new Map([...state.channels, [applied.channel, channel]]),
    signers: new Map([...state.signers, [applied.payload, applied.signers]]),
    media: mediaWith(state, applied),
  };
}

function foldRefused(state: InstallState, event: BundleRefusedEvent): InstallState {
  const { payload, check } = event;
  const refused = payload === undefined ? state.refused : [...state.refused, { payload, check }].slice(-MAX_REFUSED);
  return { ...foldFloor(state, event), refused };
}

function foldFloor(state: InstallState, { floor }: { readonly floor?: Time }): InstallState {
  return floor === undefined ? state : { ...state, floor: laterTime(state.floor, floor) };
}

function foldRolledBack(state: InstallState, event: BundleRolledBackEvent): InstallState {
  const active = { seq: event.seq, payload: event.payload };
  const highest = state.channels.get(event.channel)?.highest ?? active;
  const { document, signers } = event;
  return {
    ...foldFloor(state, event),
    signers: signers === undefined ? state.signers : new Map([...state.signers, [event.payload, signers]]),
    // One step back needs no medium: it came on what it came on before.
    media: document === undefined ? state.media : mediaWith(state, event),
    channels: new Map([...state.channels, [event.channel, { highest, active }]]),
    spent:
      document === undefined ? state.spent : new Set([...state.spent, payloadDigest(parseEmbeddedEnvelope(document))]),
  };
}

function foldHeads(state: InstallState, event: EventData['heads.accepted']): InstallState {
  return {
    ...state,
    floor: laterTime(state.floor, event.floor),
    nonces: state.nonces.filter((nonce) => !event.nonces.includes(nonce)),
    heads: { envelope: parseEmbeddedEnvelope(event.document), issuedAt: event.issued_at },
    spent: new Set([...state.spent, event.payload]),
  };
}

/** A heads statement from after the new floor is one of the clock that was wrong: it would keep every later one out. */
function foldReset(state: InstallState, { floor, nonce, payload }: EventData['floor.reset']): InstallState {
  const { heads, ...rest } = state;
  return {
    ...rest,
    floor: laterTime(state.builtAt, floor),
    nonces: state.nonces.filter((open) => open !== nonce),
    spent: new Set([...state.spent, payload]),
    ...(heads === undefined || heads.issuedAt > floor ? {} : { heads }),
  };
}
