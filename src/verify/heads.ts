import headsSchema from '../../schemas/heads.schema.json' with { type: 'json' };
import type { Digest } from '../core/digest.ts';
import type { Envelope } from '../core/dsse.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { Time } from '../core/time.ts';
import { VerifyError } from './errors.ts';
import type { TrustRoot } from './root-document.ts';
import { type DocumentFormat, type Verified, verifyDocument } from './signed-document.ts';

/** A bundle's place: its seq and the digest of its statement's payload. */
export type Place = { readonly seq: number; readonly payload: Digest };

/** The JSON of a heads statement's payload; `schemas/heads.schema.json` is its contract. */
export type HeadsDocument = {
  readonly v: 1;
  /** The newest bundle of each channel. */
  readonly channels: { readonly [channel: string]: Place };
  /** Nonces of the receipts that are answered. */
  readonly answers: readonly string[];
  readonly issuedAt: Time;
  readonly expires: Time;
};

export const HEADS: DocumentFormat<HeadsDocument> = {
  name: 'heads statement',
  payloadType: 'application/vnd.daemoneye.heads+json',
  role: 'heads',
  schema: headsSchema,
  flaw: ({ issuedAt, expires }) => (expires <= issuedAt ? 'it expires no later than it was issued' : undefined),
};

/** What an enclave holds against a heads statement that arrives. */
export type HeadsMemory = {
  /** Nonces of its own receipts that nobody has answered yet. */
  readonly nonces: readonly string[];
  /** Payloads that were accepted before. */
  readonly spent: ReadonlySet<string>;
  /** The highest bundle ever accepted, of a channel. */
  readonly highest: (channel: string) => Place | undefined;
  /** The newest statement accepted before. */
  readonly before: HeadsDocument | undefined;
};

/**
 * Whether a verified heads statement tells this enclave something new. That it answers a nonce which this enclave made
 * up is the only proof that it is no recording: a courier could keep an old one, or bring another enclave's.
 * @returns the nonces of this enclave that it answers
 * @throws VerifyError HEADS_REPLAYED, HEADS_NONCE, HEADS_OLDER or HEADS_FORK
 */
export function checkHeads({ document, payload }: Verified<HeadsDocument>, memory: HeadsMemory): readonly string[] {
  if (memory.spent.has(payload)) {
    throw new VerifyError('HEADS_REPLAYED', 'this heads statement was accepted here before; it proves nothing again');
  }
  const answered = document.answers.filter((nonce) => memory.nonces.includes(nonce));
  if (answered.length === 0) {
    const message = 'the heads statement answers no open receipt of this enclave; carry out a new one (bundle receipt)';
    throw new VerifyError('HEADS_NONCE', message);
  }
  const { before } = memory;
  if (before !== undefined && document.issuedAt < before.issuedAt) {
    const message = `the heads statement is of ${document.issuedAt}, older than the one accepted here of ${before.issuedAt}`;
    throw new VerifyError('HEADS_OLDER', message);
  }
  for (const [channel, place] of Object.entries(document.channels)) {
    checkPlace(channel, place, memory.highest(channel), 'accepted here');
    checkPlace(channel, place, placeIn(before, channel), 'named by the heads statement before');
  }
  return answered;
}

function checkPlace(channel: string, { seq, payload }: Place, known: Place | undefined, how: string): void {
  if (known === undefined || seq > known.seq) return;
  if (seq < known.seq) {
    const message = `the heads statement names ${channel} seq ${seq} as the newest, older than ${known.seq}, ${how}`;
    throw new VerifyError('HEADS_OLDER', message);
  }
  if (payload !== known.payload) {
    const message = `FORK: the heads statement names another ${channel} seq ${seq} than the one ${how}: ask the publisher`;
    throw new VerifyError('HEADS_FORK', message);
  }
}

/** What a heads statement says of a channel. */
export function placeIn(heads: HeadsDocument | undefined, channel: string): Place | undefined {
  return heads !== undefined && Object.hasOwn(heads.channels, channel) ? heads.channels[channel] : undefined;
}

/** The heads statement that was accepted, if it still counts; otherwise why there is none. */
export type KnownHeads = { readonly document: HeadsDocument } | { readonly reason: string };

/**
 * Judges the accepted heads statement anew, each time it is used: a key that signed it may have been revoked since.
 * @param envelope of the newest that was accepted here; it has answered a nonce of this enclave
 */
export function judgeHeads(root: TrustRoot, envelope: Envelope | undefined, floor: Time): KnownHeads {
  if (envelope === undefined) return { reason: 'no heads statement answers a nonce of this enclave' };
  try {
    return { document: verifyDocument(HEADS, root, envelope, floor).document };
  } catch (error) {
    if (!(error instanceof DaemonEyeError)) throw error;
    return { reason: `the heads statement accepted here no longer counts: ${error.message}` };
  }
}
