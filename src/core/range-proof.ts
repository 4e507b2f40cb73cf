import { equalBytes } from './bytes.ts';
import type { HashFunction } from './digest.ts';
import { CoreError } from './errors.ts';
import { HASH_BYTES, nodeHash, type SubtreeAt, splitPoint, subtreeRoot } from './merkle.ts';

/**
 * Compact range proofs: that some of the leaves `[from, to)` of a log are these, and that all the others of that range
 * are withheld, so many and there, without showing them. What is not shown stands as the hashes of maximal subtrees of
 * the RFC 6962 tree, cut at the ends of the range, so a proof grows with what is shown (O((runs + 1) · log size)) and
 * not with what is withheld.
 *
 * Which subtrees these are follows from the sizes alone. A proof that has others, or in another order, is refused, so
 * there is one proof for one selection.
 */

/** Leaves `[from, to)`. */
export type Stretch = { readonly from: number; readonly to: number };

export type StretchHash = Stretch & { readonly hash: Uint8Array };

export type RangeShape = {
  /** Leaves of the tree: the size that the checkpoint signs. */
  readonly size: number;
  /** The range, 0 ≤ from < to ≤ size. */
  readonly from: number;
  readonly to: number;
  /** What is shown: stretches within the range, ascending, at least one withheld leaf between two of them. */
  readonly runs: readonly Stretch[];
};

/** How many leaves are shown. */
export function countShown({ runs }: Pick<RangeShape, 'runs'>): number {
  return runs.reduce((sum, { from, to }) => sum + to - from, 0);
}

/** Joins ascending leaf numbers into runs. */
export function runsOf(shown: Iterable<number>): Stretch[] {
  const runs: { from: number; to: number }[] = [];
  for (const seq of shown) {
    const last = runs.at(-1);
    if (last?.to === seq) last.to += 1;
    else runs.push({ from: seq, to: seq + 1 });
  }
  return runs;
}

/** The stretches of the range between the runs. */
export function withheldOf({ from, to, runs }: RangeShape): Stretch[] {
  const ends = [{ from, to: from }, ...runs, { from: to, to }];
  return ends.slice(1).flatMap((next, i) => {
    const gap = { from: ends[i]?.to ?? from, to: next.from };
    return gap.to > gap.from ? [gap] : [];
  });
}

/**
 * The hashes that stand for everything not shown, left to right.
 * @param at looks up stored complete subtrees
 * @throws CoreError PROOF_MALFORMED for an impossible shape
 */
export function proveRange(hash: HashFunction, shape: RangeShape, at: SubtreeAt): StretchHash[] {
  assertShape(shape);
  const hashes: StretchHash[] = [];
  walk<void>(shape, {
    hidden: (from, to) => {
      hashes.push({ from, to, hash: subtreeRoot(hash, from, to, at) });
    },
    shown: () => undefined,
    join: () => undefined,
  });
  return hashes;
}

export type RangeClaim = RangeShape & {
  readonly root: Uint8Array;
  /** The leaf hash of a shown leaf; undefined where there is none. Asked once for each, left to right. */
  readonly leafAt: (index: number) => Uint8Array | undefined;
  readonly hashes: readonly StretchHash[];
};

/**
 * Checks that the shown leaves stand at their places in the tree with this size and root, and that everything else of
 * the range is withheld. A hostile shape costs no more than the hashes and leaves that were given for it.
 * @throws CoreError PROOF_MALFORMED for an impossible shape, a missing leaf, or hashes for other stretches than the
 *   shape asks for; PROOF_MISMATCH when it leads to another root
 */
export function verifyRange(hash: HashFunction, claim: RangeClaim): void {
  assertShape(claim);
  const { root, leafAt, hashes } = claim;
  let used = 0;
  const found = walk<Uint8Array>(claim, {
    hidden: (from, to) => {
      const next = hashes[used];
      if (next?.from !== from || next.to !== to) throw malformed(`it has no hash for [${from}, ${to}) in its place`);
      used += 1;
      return sized(next.hash);
    },
    shown: function shownRoot(from, to): Uint8Array {
      if (to - from > 1) {
        const middle = from + splitPoint(to - from);
        const left = shownRoot(from, middle);
        return nodeHash(hash, left, shownRoot(middle, to));
      }
      const leaf = leafAt(from);
      if (leaf === undefined) throw malformed(`the shown leaf ${from} is not there`);
      return sized(leaf);
    },
    join: (left, right) => nodeHash(hash, left, right),
  });
  if (used !== hashes.length) throw malformed('it has too many hashes');
  if (!equalBytes(found, root)) {
    throw new CoreError('PROOF_MISMATCH', 'the range proof leads to another root: these leaves are not in that tree', {
      fault: 'untrusted',
    });
  }
}

/** What is made of the maximal subtrees, none of whose leaves are shown or all of them. */
type Visitor<T> = {
  /** Wholly withheld, or wholly outside the range. */
  readonly hidden: (from: number, to: number) => T;
  readonly shown: (from: number, to: number) => T;
  readonly join: (left: T, right: T) => T;
};

/** Goes down the tree (RFC 6962 section 2.1) as far as a subtree is not of one kind; left before right. */
function walk<T>(shape: RangeShape, visitor: Visitor<T>): T {
  const { runs } = shape;
  /** @param lo, hi the runs that overlap the subtree are `runs[lo]` to `runs[hi - 1]` */
  const visit = (from: number, to: number, lo: number, hi: number): T => {
    const run = runs[lo];
    if (lo === hi || run === undefined) {
      const isOutside = to <= shape.from || from >= shape.to;
      const isInside = from >= shape.from && to <= shape.to;
      if (isOutside || isInside) return visitor.hidden(from, to);
    } else if (hi - lo === 1 && run.from <= from && run.to >= to) {
      return visitor.shown(from, to);
    }
    const middle = from + splitPoint(to - from);
    const first = firstRun(runs, lo, hi, ({ to: end }) => end > middle);
    const left = visit(
      from,
      middle,
      lo,
      firstRun(runs, lo, hi, ({ from: start }) => start >= middle),
    );
    return visitor.join(left, visit(middle, to, first, hi));
  };
  return visit(0, shape.size, 0, runs.length);
}

/** Index of the first run in `[lo, hi)` for which `is` holds, else `hi`; runs ascend, so a binary search finds it. */
function firstRun(runs: readonly Stretch[], lo: number, hi: number, is: (run: Stretch) => boolean): number {
  let [low, high] = [lo, hi];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const run = runs[middle];
    if (run !== undefined && is(run)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function assertShape({ size, from, to, runs }: RangeShape): void {
  if (![size, from, to].every(Number.isSafeInteger) || from < 0 || from >= to || to > size) {
    throw malformed(`[${from}, ${to}) is no range of a tree of ${size}`);
  }
  let free = from;
  for (const run of runs) {
    const isIn = Number.isSafeInteger(run.from) && Number.isSafeInteger(run.to) && run.from >= free && run.to <= to;
    if (!isIn || run.from >= run.to)
      throw malformed(`[${run.from}, ${run.to}) is no run of the range, or out of order`);
    // Two runs that touch would be a second way to write one.
    free = run.to + 1;
  }
}

function sized(hash: Uint8Array): Uint8Array {
  if (hash.length !== HASH_BYTES) throw malformed(`a hash is not ${HASH_BYTES} bytes long`);
  return hash;
}

function malformed(problem: string): CoreError {
  return new CoreError('PROOF_MALFORMED', `not a proof of this range: ${problem}`, { fault: 'untrusted' });
}
