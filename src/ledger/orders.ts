import holdSchema from '../../schemas/hold.schema.json' with { type: 'json' };
import pruneSchema from '../../schemas/prune.schema.json' with { type: 'json' };
import redactionSchema from '../../schemas/redaction.schema.json' with { type: 'json' };
import releaseSchema from '../../schemas/release.schema.json' with { type: 'json' };
import type { Digest } from '../core/digest.ts';
import { type Envelope, parseEnvelope } from '../core/dsse.ts';
import { embedEnvelope } from '../core/embedded-envelope.ts';
import { CoreError, messageOf } from '../core/errors.ts';
import type { EmbeddedEnvelope } from '../core/event-data.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { validateSchema } from '../core/schema.ts';
import type { Schema } from '../core/schema-compiler.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { LedgerError } from './errors.ts';
import { HOLD_PAYLOAD_TYPE, PRUNE_PAYLOAD_TYPE, REDACTION_PAYLOAD_TYPE, RELEASE_PAYLOAD_TYPE } from './format.ts';
import type { Genesis } from './genesis.ts';

/** What every order of an operator says: about which log, and why. */
export type LogOrder = {
  readonly v: 1;
  readonly genesis: Digest;
  readonly origin: string;
  readonly reason: string;
  readonly issuedAt: Time;
};

/** These very lines of this very log go. */
export type PruneOrder = LogOrder & {
  /** The first seq that stays. */
  readonly to: number;
  /** Over the lines that go. */
  readonly root: Digest;
};

/** The sealed value that one line commits to goes. */
export type RedactionOrder = LogOrder & {
  readonly seq: number;
  readonly field: 'argv' | 'env';
  /** As the line has it. */
  readonly commit: Digest;
};

/** These lines, and what is sealed of them, must stay. */
export type HoldOrder = LogOrder & {
  readonly from: number;
  /** The first seq it does not cover; without it, also all that is still to come. */
  readonly to?: number;
};

/** A hold ends. */
export type ReleaseOrder = LogOrder & {
  /** The seq of its `log.hold` entry. */
  readonly hold: number;
};

/** A kind of order: how it is signed, and what it looks like. */
export type OrderKind<T extends LogOrder> = {
  readonly payloadType: string;
  readonly schema: Schema;
  readonly what: string;
  /** Never there: which order it is of. */
  readonly order?: T;
};

export const PRUNE_ORDER: OrderKind<PruneOrder> = {
  payloadType: PRUNE_PAYLOAD_TYPE,
  schema: pruneSchema,
  what: 'an order to drop lines',
};
export const REDACTION_ORDER: OrderKind<RedactionOrder> = {
  payloadType: REDACTION_PAYLOAD_TYPE,
  schema: redactionSchema,
  what: 'an order to redact a sealed value',
};

export const HOLD_ORDER: OrderKind<HoldOrder> = {
  payloadType: HOLD_PAYLOAD_TYPE,
  schema: holdSchema,
  what: 'an order to hold lines',
};
export const RELEASE_ORDER: OrderKind<ReleaseOrder> = {
  payloadType: RELEASE_PAYLOAD_TYPE,
  schema: releaseSchema,
  what: 'an order to end a hold',
};

export type AnyOrder = PruneOrder | RedactionOrder | HoldOrder | ReleaseOrder;
const ORDER_KINDS = [PRUNE_ORDER, REDACTION_ORDER, HOLD_ORDER, RELEASE_ORDER] as const;

/**
 * An order of any kind, from its file; whether who signed it may is for the caller to judge.
 * @throws LedgerError ORDER_MALFORMED; CoreError as `parseEnvelope`
 */
export function readOrder(bytes: Uint8Array): { readonly envelope: Envelope; readonly order: AnyOrder } {
  for (const kind of ORDER_KINDS) {
    const envelope = envelopeOf(bytes, kind.payloadType);
    if (envelope !== undefined) return { envelope, order: parseOrder<AnyOrder>(kind, envelope).order };
  }
  throw new LedgerError('ORDER_MALFORMED', 'not an order about a log: its type is another', { fault: 'untrusted' });
}

function envelopeOf(bytes: Uint8Array, payloadType: string): Envelope | undefined {
  try {
    return parseEnvelope(bytes, payloadType);
  } catch (cause) {
    if (cause instanceof CoreError && cause.code === 'PAYLOAD_TYPE') return undefined;
    throw cause;
  }
}

/** An order, and the envelope it came in. */
export type Order<T extends LogOrder> = { readonly order: T; readonly document: EmbeddedEnvelope };

/** The unsigned envelope. @throws LedgerError ORDER_MALFORMED if it could not be parsed again */
export function encodeOrder<T extends LogOrder>(kind: OrderKind<T>, order: T): Envelope {
  const envelope = { payloadType: kind.payloadType, payload: encodeCanonicalJson(order), signatures: [] };
  parseOrder(kind, envelope);
  return envelope;
}

/** Reads an order; whether who signed it may is for the caller to judge. @throws LedgerError ORDER_MALFORMED */
export function parseOrder<T extends LogOrder>(
  { payloadType, schema, what }: OrderKind<T>,
  envelope: Envelope,
): Order<T> {
  try {
    if (envelope.payloadType !== payloadType) throw new Error('its type is another');
    const order = validateSchema<T>(schema, parseCanonicalJson(envelope.payload));
    return { order, document: embedEnvelope(envelope) };
  } catch (cause) {
    const message = `not ${what}: ${escapeForTerminal(messageOf(cause))}`;
    throw new LedgerError('ORDER_MALFORMED', message, { cause, fault: 'untrusted' });
  }
}

/**
 * An order for one log must not be carried out on another.
 * @param to up to where lines went by it
 * @throws LedgerError ORDER_ELSEWHERE
 */
export function assertOrderOf({ digest, origin }: Genesis, order: LogOrder & { to?: number }, to = 0): void {
  if (order.genesis === digest && order.origin === origin && to <= (order.to ?? to)) return;
  const message = `the order is for the log ${escapeForTerminal(order.origin)}, not for this one; nothing was done`;
  throw new LedgerError('ORDER_ELSEWHERE', message, { fault: 'refused' });
}
