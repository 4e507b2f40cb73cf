import pruneSchema from '../../schemas/prune.schema.json' with { type: 'json' };
import type { Digest } from '../core/digest.ts';
import type { Envelope } from '../core/dsse.ts';
import { embedEnvelope } from '../core/embedded-envelope.ts';
import { messageOf } from '../core/errors.ts';
import type { EmbeddedEnvelope } from '../core/event-data.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { validateSchema } from '../core/schema.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { LedgerError } from './errors.ts';
import { PRUNE_PAYLOAD_TYPE } from './format.ts';

/** What an operator approves: these very lines of this very log. */
export type PruneOrder = {
  readonly v: 1;
  readonly genesis: Digest;
  readonly origin: string;
  /** The first seq that stays. */
  readonly to: number;
  /** Over the lines that go. */
  readonly root: Digest;
  readonly reason: string;
  readonly issuedAt: Time;
};

/** An order, and the envelope it came in. */
export type PruneApproval = { readonly order: PruneOrder; readonly document: EmbeddedEnvelope };

/** The unsigned envelope. @throws LedgerError PRUNE_REFUSED if it could not be parsed again */
export function encodePruneOrder(order: PruneOrder): Envelope {
  const envelope = { payloadType: PRUNE_PAYLOAD_TYPE, payload: encodeCanonicalJson(order), signatures: [] };
  parsePruneApproval(envelope);
  return envelope;
}

/** Reads an order; whether who signed it may is for the caller to judge. @throws LedgerError PRUNE_REFUSED */
export function parsePruneApproval(envelope: Envelope): PruneApproval {
  try {
    if (envelope.payloadType !== PRUNE_PAYLOAD_TYPE) throw new Error('its type is another');
    const order = validateSchema<PruneOrder>(pruneSchema, parseCanonicalJson(envelope.payload));
    return { order, document: embedEnvelope(envelope) };
  } catch (cause) {
    const message = `not an approval to drop lines: ${escapeForTerminal(messageOf(cause))}`;
    throw new LedgerError('PRUNE_REFUSED', message, { cause, fault: 'untrusted' });
  }
}
