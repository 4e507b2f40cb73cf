import floorResetSchema from '../../schemas/floor-reset.schema.json' with { type: 'json' };
import type { Envelope } from '../core/dsse.ts';
import { laterTime, type Time } from '../core/time.ts';
import { assertAuthority } from './authority.ts';
import { VerifyError } from './errors.ts';
import type { TrustRoot } from './root-document.ts';
import { type DocumentFormat, parseDocument, type Verified, verifyDocument } from './signed-document.ts';

/** The JSON of a floor reset's payload; `schemas/floor-reset.schema.json` is its contract. */
export type FloorResetDocument = {
  readonly v: 1;
  readonly host: string;
  /** Nonce of the host's receipt that showed the wrong floor. */
  readonly answers: string;
  /** The floor of that receipt. */
  readonly from: Time;
  readonly to: Time;
  readonly reason: string;
  readonly issuedAt: Time;
};

export const FLOOR_RESET: DocumentFormat<FloorResetDocument> = {
  name: 'floor reset',
  payloadType: 'application/vnd.daemoneye.floor-reset+json',
  role: 'root',
  schema: floorResetSchema,
  flaw: ({ from, to, issuedAt }) => {
    if (to >= from) return 'it does not lower the floor';
    return to > issuedAt ? 'it sets the floor to a moment after it was issued' : undefined;
  },
};

/** What an enclave holds against a floor reset. */
export type FloorMemory = {
  readonly host: string;
  readonly floor: Time;
  /** Nonces of its own receipts that nobody has answered yet. */
  readonly nonces: readonly string[];
  readonly spent: ReadonlySet<string>;
};

/**
 * Verifies a floor reset. It is judged at the moment it names, not at the floor that it is there to correct: at that
 * one everything has expired, the trust root first.
 * @throws VerifyError as `verifyDocument`; FLOOR_RESET_USED, or FLOOR_RESET_MISMATCH when it is for another host,
 *   answers no open receipt, or the floor has moved since
 */
export function verifyFloorReset(
  root: TrustRoot,
  envelope: Envelope,
  { host, floor, nonces, spent }: FloorMemory,
): Verified<FloorResetDocument> {
  // Before its payload is parsed: whose it is. The times come with the second look, at the moment it names.
  assertAuthority(root, FLOOR_RESET.role, FLOOR_RESET.name, envelope);
  const { to } = parseDocument(FLOOR_RESET, envelope.payload);
  const verified = verifyDocument(FLOOR_RESET, root, envelope, laterTime(to, root.document.issuedAt));
  const { document, payload } = verified;
  if (spent.has(payload)) throw new VerifyError('FLOOR_RESET_USED', 'this floor reset was used here already');
  if (document.host !== host) {
    throw new VerifyError('FLOOR_RESET_MISMATCH', `the floor reset is for the host ${document.host}, not ${host}`);
  }
  if (!nonces.includes(document.answers)) {
    throw new VerifyError('FLOOR_RESET_MISMATCH', 'the floor reset answers no open receipt of this enclave');
  }
  if (document.from !== floor) {
    const message = `the floor reset corrects ${document.from}, but the floor here is ${floor}: send a new receipt`;
    throw new VerifyError('FLOOR_RESET_MISMATCH', message);
  }
  return verified;
}
