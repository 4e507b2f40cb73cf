import { type Digest, formatDigest, type HashFunction } from '../core/digest.ts';
import { leafHash } from '../core/merkle.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { type Line, parseLine } from './line.ts';

/** Where the next line of a chain attaches. */
export type ChainEnd = { readonly seq: number; readonly prev: Digest };

/** The end of a log without lines. */
export function chainStart(genesis: Genesis): ChainEnd {
  return { seq: 0, prev: genesis.digest };
}

/** The end after the line with this seq and leaf hash was attached. */
export function chainNext(seq: number, genesis: Genesis, leaf: Uint8Array): ChainEnd {
  return { seq: seq + 1, prev: formatDigest(genesis.hash, leaf) };
}

/**
 * Parses a line and checks that it attaches here.
 * @throws LedgerError LINE_MALFORMED, LINE_TOO_LONG, LINE_SEQUENCE (lines lost, repeated or moved) or LINE_CHAIN (the
 *   line before it is not the one it was written after)
 */
export function attachLine(end: ChainEnd, bytes: Uint8Array): Line {
  const line = parseLine(bytes);
  if (line.seq !== end.seq) {
    throw new LedgerError('LINE_SEQUENCE', `expected the line with seq ${end.seq} and found seq ${line.seq}`);
  }
  if (line.prev !== end.prev) {
    const message = `the line was written after another line than the one that stands before it`;
    throw new LedgerError('LINE_CHAIN', message);
  }
  return line;
}

/** The leaf hash of a line, which is also the chain link. */
export function leafOf(hash: HashFunction, line: Uint8Array): Uint8Array {
  return leafHash(hash, line);
}
