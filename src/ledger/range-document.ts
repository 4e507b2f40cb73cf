import rangeSchema from '../../schemas/range-proof.schema.json' with { type: 'json' };
import { type Digest, formatDigest, type HashName, parseDigest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import type { RangeShape, Stretch, StretchHash } from '../core/range-proof.ts';
import { validateSchema } from '../core/schema.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { LedgerError } from './errors.ts';
import { MAX_RANGE_PROOF_BYTES } from './format.ts';

/** Lines shown one after the other; `head` is the leaf hash of the last. */
export type ShownRun = Stretch & { readonly head: Digest };

/** range-proof.json of one log, parsed. */
export type RangeDocument = Omit<RangeShape, 'runs'> & {
  readonly origin: string;
  readonly hash: HashName;
  readonly runs: readonly ShownRun[];
  readonly hashes: readonly StretchHash[];
};

type RangeJson = Omit<RangeDocument, 'hashes'> & { v: number; hashes: (Stretch & { hash: string })[] };

export function encodeRangeDocument({ origin, hash, size, from, to, runs, hashes }: RangeDocument): Uint8Array {
  const named = hashes.map((stretch) => ({ ...stretch, hash: formatDigest(hash, stretch.hash) }));
  return encodeCanonicalJson({ v: 1, origin, hash, size, from, to, runs, hashes: named });
}

/**
 * Parses a proof; whether it proves anything is for `verifyRange` to say.
 * @throws LedgerError RANGE_PROOF_MALFORMED
 */
export function parseRangeDocument(bytes: Uint8Array): RangeDocument {
  try {
    const json = parseCanonicalJson(bytes, { maxBytes: MAX_RANGE_PROOF_BYTES });
    const { v: _, ...document } = validateSchema<RangeJson>(rangeSchema, json);
    const digests = [...document.runs.map(({ head }) => head), ...document.hashes.map(({ hash }) => hash)];
    if (digests.some((digest) => !digest.startsWith(`${document.hash}:`)))
      throw new Error('its hashes are of two kinds');
    const hashes = document.hashes.map((stretch) => ({ ...stretch, hash: parseDigest(stretch.hash).hash }));
    return { ...document, hashes };
  } catch (cause) {
    const message = `not a range proof: ${escapeForTerminal(messageOf(cause))}`;
    throw new LedgerError('RANGE_PROOF_MALFORMED', message, { cause, fault: 'untrusted' });
  }
}
