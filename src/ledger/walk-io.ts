import { join } from 'node:path';
import { ENTRIES_DIRECTORY, entriesFileName, MAX_LINE_BYTES } from './format.ts';
import type { WalkedLine } from './place.ts';
import { type EntriesListing, scanLines } from './scan-io.ts';

/** Where a walk begins: the line with this seq starts at this offset of its file. */
export type WalkStart = { readonly seq: number; readonly offset: number };

/**
 * The lines of a log in order, in batches, from file to file as long as each file holds as many lines as it should.
 * Judges nothing else. The walk ends where the files do, or at the first flaw.
 * @throws DurableError
 */
export function* walkEntries(
  directory: string,
  rotate: number,
  listing: EntriesListing,
  start: WalkStart = { seq: 0, offset: 0 },
): Generator<WalkedLine[], void, undefined> {
  let { seq, offset } = start;
  for (let firstSeq = seq - (seq % rotate); listing.firstSeqs.includes(firstSeq); firstSeq += rotate) {
    const file = `${ENTRIES_DIRECTORY}/${entriesFileName(firstSeq)}`;
    for (const raw of scanLines(join(directory, file), MAX_LINE_BYTES, offset)) {
      const batch: WalkedLine[] = [];
      for (const { bytes, offset: at, ended } of raw) {
        const place = { seq, file, firstSeq, number: seq - firstSeq + 1, offset: at };
        const flaw = seq - firstSeq >= rotate ? 'surplus' : ended ? undefined : 'unfinished';
        batch.push(flaw === undefined ? { bytes, place } : { bytes, place, flaw });
        if (flaw !== undefined) {
          yield batch;
          return;
        }
        seq += 1;
      }
      yield batch;
    }
    if (seq !== firstSeq + rotate) return;
    offset = 0;
  }
}
