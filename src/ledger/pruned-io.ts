import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import type { EntriesListing } from './scan-io.ts';
import type { StoredTree } from './tree-files-io.ts';

/**
 * The first line that is still there: lines are dropped from the front, whole files at a time. Whether that was allowed
 * is for others to say.
 * @param signedSize lines that the head covers: a file that begins beyond is no remainder but a stranger
 */
export function firstKept({ firstSeqs }: EntriesListing, { limits }: Genesis, signedSize: number): number {
  const [first = 0] = firstSeqs;
  return first % limits.rotate === 0 && first < signedSize ? first : 0;
}

/**
 * The leaf hashes of lines [0, first), which were dropped, from the tree files: believed by nobody, like all that is
 * there, until what comes of them is the root that was signed.
 * @throws LedgerError TREE_DAMAGED where one is missing: nothing can replace it any more; DurableError
 */
export function* prunedLeaves(stored: StoredTree, first: number): Generator<Uint8Array, void, undefined> {
  for (let seq = 0; seq < first; seq += 1) {
    const leaf = stored.at(0, seq);
    if (leaf === undefined) {
      const message = `the hash of line ${seq} is gone, and so is the line: restore the tree files from a copy`;
      throw new LedgerError('TREE_DAMAGED', message, { fault: 'tampered' });
    }
    yield leaf;
  }
}
