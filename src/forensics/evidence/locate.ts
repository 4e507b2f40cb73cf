import type { HashFunction, HashName } from '../../core/digest.ts';
import type { PublicKey } from '../../core/keys.ts';
import { countShown } from '../../core/range-proof.ts';
import { parseGenesis } from '../../ledger/genesis.ts';
import { parseRangeDocument } from '../../ledger/range-document.ts';
import { attempt } from './attempt.ts';
import type { Documents } from './contents.ts';
import { type LogPlace, logPath } from './layout.ts';
import { LogAudit } from './log-audit.ts';

/** More lines than this are not gone through for a package that is refused anyway. */
const MAX_LOCATED_LINES = 1_000_000;

/**
 * Audits that can name the changed line of a package that is refused: they hold the lines against the links among them
 * and against the heads in the range proof. What they find decides nothing.
 */
export function locators(
  places: readonly LogPlace[],
  documents: Documents,
  hashes: Readonly<Record<HashName, HashFunction>>,
): LogAudit[] {
  return places.flatMap((place) => {
    const range = attempt(() => parseRangeDocument(documents.get(logPath(place, 'range')) ?? new Uint8Array()));
    if (range === undefined) return [];
    const lines = countShown(range);
    // Runs that end before they begin count below zero.
    if (lines < 0 || lines > MAX_LOCATED_LINES) return [];
    const genesis = attempt(() => parseGenesis(documents.get(logPath(place, 'genesis')) ?? new Uint8Array()));
    const attached = genesis === undefined ? {} : { genesis: genesis.digest };
    return [new LogAudit({ place, range, lines, hash: hashes[range.hash], ...attached })];
  });
}

/** The keys that the package's own genesis documents name: no authority, but worth a sentence. */
export function keysInside(places: readonly LogPlace[], documents: Documents): PublicKey[] {
  return places.flatMap((place) => {
    const genesis = attempt(() => parseGenesis(documents.get(logPath(place, 'genesis')) ?? new Uint8Array()));
    return genesis === undefined ? [] : [genesis.key];
  });
}
