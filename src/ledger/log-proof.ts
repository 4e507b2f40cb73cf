import logProofSchema from '../../schemas/log-proof.schema.json' with { type: 'json' };
import { decodeUtf8, utf8 } from '../core/bytes.ts';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { validateSchema } from '../core/schema.ts';
import type { JsonObject } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { EpochLinks } from './epoch-links.ts';
import { LedgerError } from './errors.ts';
import { MAX_RANGE_PROOF_BYTES } from './format.ts';
import { encodeRangeDocument, parseRangeDocument, type RangeDocument } from './range-document.ts';

/**
 * A proof about a range of one log that needs nothing else but the shown lines and the log's key: what is shown, how
 * many lines are withheld and where; with a trace named, also that none of the withheld belongs to it.
 */
export type LogProof = {
  readonly range: RangeDocument;
  /** The signed note over `range.size` lines, verbatim. */
  readonly checkpoint: Uint8Array;
  /** Where the log's key was changed: how the key that is known leads to the one that signed. */
  readonly keys?: LogKeys;
  /** The trace, all of whose lines are shown. */
  readonly trace?: string;
};

/** genesis.json and the `log.rotate` lines of a log, verbatim, and how the checkpoint extends what each key signed last. */
export type LogKeys = {
  readonly genesis: string;
  readonly rotations: readonly string[];
  readonly links: EpochLinks;
};

type LogProofJson = {
  readonly v: 1;
  readonly checkpoint: string;
  readonly only?: { readonly trace: string };
  readonly range: JsonObject;
  readonly keys?: LogKeys;
};

/** Canonical JSON, without a newline. @throws LedgerError RANGE_PROOF_MALFORMED if it could not be parsed again */
export function encodeLogProof({ range, checkpoint, keys, trace }: LogProof): Uint8Array {
  const only = trace === undefined ? {} : { only: { trace } };
  const passedOn = keys === undefined ? {} : { keys };
  const json = parseCanonicalJson(encodeRangeDocument(range), { maxBytes: MAX_RANGE_PROOF_BYTES });
  const bytes = encodeCanonicalJson({ v: 1, checkpoint: decodeUtf8(checkpoint), ...only, ...passedOn, range: json });
  parseLogProof(bytes);
  return bytes;
}

/** Whether a file is meant to be such a proof and not one of a single entry, which is text. */
export function isLogProof(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7b;
}

/**
 * Parses a proof, with or without a newline after it; whether it proves anything is for {@link verifyLogProof} to say.
 * @throws LedgerError RANGE_PROOF_MALFORMED
 */
export function parseLogProof(bytes: Uint8Array): LogProof {
  const { checkpoint, only, range, keys } = parseJson(bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes);
  return {
    range: parseRangeDocument(encodeCanonicalJson(range)),
    checkpoint: utf8(checkpoint),
    ...(keys === undefined ? {} : { keys }),
    ...(only === undefined ? {} : { trace: only.trace }),
  };
}

function parseJson(bytes: Uint8Array): LogProofJson {
  try {
    return validateSchema<LogProofJson>(logProofSchema, parseCanonicalJson(bytes, { maxBytes: MAX_RANGE_PROOF_BYTES }));
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw cause;
    const message = `not a proof of a range: ${escapeForTerminal(messageOf(cause))}`;
    throw new LedgerError('RANGE_PROOF_MALFORMED', message, { cause, fault: 'untrusted' });
  }
}
