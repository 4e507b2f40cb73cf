import { equalBytes } from './bytes.ts';
import type { HashFunction } from './digest.ts';
import { CoreError } from './errors.ts';
import { HASH_BYTES, nodeHash, type SubtreeAt, splitPoint, subtreeRoot } from './merkle.ts';

/**
 * The audit path of leaf `index` in the tree of `size` leaves (RFC 6962 section 2.1.1): from the leaf's sibling to the
 * root's child. Reads O(log n) complete subtrees through `at` and rebuilds nothing.
 * @throws CoreError PROOF_MALFORMED unless 0 ≤ index < size, both safe integers
 */
export function proveInclusion(hash: HashFunction, index: number, size: number, at: SubtreeAt): Uint8Array[] {
  assertIndex(index, size);
  const path: Uint8Array[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (index < middle) {
      path.push(subtreeRoot(hash, middle, to, at));
      to = middle;
    } else {
      path.push(subtreeRoot(hash, from, middle, at));
      from = middle;
    }
  }
  return path.reverse();
}

/**
 * The proof that the tree of `size1` leaves is a prefix of that of `size2` (RFC 6962 section 2.1.2).
 * Empty when the sizes are equal.
 * @throws CoreError PROOF_MALFORMED unless 1 ≤ size1 ≤ size2: every tree extends the empty one, so that proves nothing
 */
export function proveConsistency(hash: HashFunction, size1: number, size2: number, at: SubtreeAt): Uint8Array[] {
  assertSizes(size1, size2);
  const path: Uint8Array[] = [];
  let from = 0;
  let to = size2;
  while (to !== size1) {
    const middle = from + splitPoint(to - from);
    if (size1 <= middle) {
      path.push(subtreeRoot(hash, middle, to, at));
      to = middle;
    } else {
      path.push(subtreeRoot(hash, from, middle, at));
      from = middle;
    }
  }
  // SUBPROOF's flag b: the verifier already knows the old root, but not a subtree inside it.
  if (from !== 0) path.push(subtreeRoot(hash, from, to, at));
  return path.reverse();
}

export type Inclusion = {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  readonly proof: readonly Uint8Array[];
};

/**
 * Checks that `leaf` is leaf number `index` of the tree with this size and root (RFC 9162 section 2.1.3.2).
 * @throws CoreError PROOF_MALFORMED for an impossible index or a proof of the wrong shape, PROOF_MISMATCH when it
 *   leads to another root
 */
export function verifyInclusion(hash: HashFunction, { index, size, leaf, root, proof }: Inclusion): void {
  assertIndex(index, size);
  assertHashes([leaf, ...proof]);
  let fn = index;
  let sn = size - 1;
  let r = leaf;
  for (const p of proof) {
    if (sn === 0) throw malformed('it has too many hashes');
    if (isOdd(fn) || fn === sn) {
      r = nodeHash(hash, p, r);
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      r = nodeHash(hash, r, p);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw malformed('it has too few hashes');
  if (!equalBytes(r, root)) throw mismatch('the inclusion proof leads to another root: this leaf is not in that tree');
}

export type Consistency = {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Uint8Array;
  readonly root2: Uint8Array;
  readonly proof: readonly Uint8Array[];
};

/**
 * Checks that the tree with size1 and root1 is a prefix of the one with size2 and root2 (RFC 9162 section 2.1.4.2).
 * @throws CoreError PROOF_MALFORMED for impossible sizes or a proof of the wrong shape, PROOF_MISMATCH when it leads to
 *   other roots: one of the two histories was rewritten
 */
export function verifyConsistency(hash: HashFunction, claim: Consistency): void {
  const { size1, size2, root1, root2, proof } = claim;
  assertSizes(size1, size2);
  assertHashes(proof);
  if (size1 === size2) {
    if (proof.length > 0) throw malformed('equal sizes need no hashes');
    if (!equalBytes(root1, root2)) throw mismatch('two roots of one size differ: the history was forked');
    return;
  }
  assertHashes([root1, root2]);
  const { first, rest, fn: start, sn: end } = consistencyStart(claim);
  let fn = start;
  let sn = end;
  let fr = first;
  let sr = first;
  for (const c of rest) {
    if (sn === 0) throw malformed('it has too many hashes');
    if (isOdd(fn) || fn === sn) {
      fr = nodeHash(hash, c, fr);
      sr = nodeHash(hash, c, sr);
      while (!isOdd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      sr = nodeHash(hash, sr, c);
    }
    fn = half(fn);
    sn = half(sn);
  }
  if (sn !== 0) throw malformed('it has too few hashes');
  if (!equalBytes(fr, root1) || !equalBytes(sr, root2)) {
    throw mismatch('the consistency proof leads to other roots: the newer tree does not extend the older one');
  }
}

/** Steps 2 to 5 of section 2.1.4.2: where the walk starts, and with which hash. */
function consistencyStart({ size1, size2, root1, proof }: Consistency) {
  // Step 2: a power of two is itself a node of the newer tree, so its root starts the path.
  const path = isPowerOfTwo(size1) ? [root1, ...proof] : proof;
  const [first, ...rest] = path;
  if (first === undefined || proof.length === 0) throw malformed('it has no hashes');
  let fn = size1 - 1;
  let sn = size2 - 1;
  while (isOdd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  return { first, rest, fn, sn };
}

function assertIndex(index: number, size: number): void {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) {
    throw malformed(`there is no leaf ${index} in a tree of ${size}`);
  }
}

function assertSizes(size1: number, size2: number): void {
  if (!Number.isSafeInteger(size1) || !Number.isSafeInteger(size2) || size1 < 1 || size1 > size2) {
    throw malformed(`a tree of ${size2} leaves can't be proved to extend one of ${size1}`);
  }
}

function assertHashes(hashes: readonly Uint8Array[]): void {
  if (hashes.some(({ length }) => length !== HASH_BYTES)) throw malformed(`a hash is not ${HASH_BYTES} bytes long`);
}

function isOdd(n: number): boolean {
  return n % 2 === 1;
}

function half(n: number): number {
  return Math.floor(n / 2);
}

function isPowerOfTwo(n: number): boolean {
  return n === 1 || splitPoint(n) * 2 === n;
}

function malformed(problem: string): CoreError {
  return new CoreError('PROOF_MALFORMED', `not a proof for these sizes: ${problem}`, { fault: 'untrusted' });
}

function mismatch(message: string): CoreError {
  return new CoreError('PROOF_MISMATCH', message, { fault: 'untrusted' });
}
