import type { Problem } from './check-list.ts';
import type { LedgerErrorCode } from './errors.ts';

/** Where a line stands. */
export type Place = {
  readonly seq: number;
  /** Below the ledger's directory. */
  readonly file: string;
  readonly firstSeq: number;
  /** In the file, from 1. */
  readonly number: number;
  /** In the file, in bytes. */
  readonly offset: number;
};

export type WalkedLine = {
  /** Without the newline. */
  readonly bytes: Uint8Array;
  readonly place: Place;
  /** Why this can't be a line, whatever it says; always the last of a walk. */
  readonly flaw?: 'unfinished' | 'surplus';
};

/** A problem at a place: the file, its line number as an editor counts, and the seq that belongs there. */
export function problemAt({ file, number, seq }: Place, code: LedgerErrorCode, reason: string): Problem {
  return { code, reason: `${file} line ${number} (seq ${seq}): ${reason}`, detail: { file, line: number, seq } };
}
