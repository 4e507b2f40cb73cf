import type { HashFunction } from './digest.ts';

/**
 * The Merkle tree of RFC 6962 section 2.1, over any hash of 32 bytes. Sizes and indexes are integers up to 2^53 − 1,
 * so they are halved by division: JavaScript's shifts stop at 32 bits.
 */
export const HASH_BYTES = 32;

// Section 2.1: without the two prefixes an inner node could be passed off as a leaf (second preimage).
const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** Where a leaf gets its prefix: one room for all, since millions of leaves are hashed one after the other. */
const room = new Uint8Array(65_536);

/** `H(0x00 ‖ data)`. */
export function leafHash(hash: HashFunction, data: Uint8Array): Uint8Array {
  const bytes = data.length < room.length ? room.subarray(0, 1 + data.length) : new Uint8Array(1 + data.length);
  bytes[0] = LEAF_PREFIX;
  bytes.set(data, 1);
  return hash(bytes);
}

/** As `room`, for the one length that inner nodes have. */
const nodeRoom = new Uint8Array(1 + 2 * HASH_BYTES);

/** `H(0x01 ‖ left ‖ right)`. */
export function nodeHash(hash: HashFunction, left: Uint8Array, right: Uint8Array): Uint8Array {
  const length = 1 + left.length + right.length;
  // A hash of another length comes only from outside, in a proof that is about to be refused.
  const bytes = length === nodeRoom.length ? nodeRoom : new Uint8Array(length);
  bytes[0] = NODE_PREFIX;
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return hash(bytes);
}

/** The root of the tree without leaves: `H("")`. */
export function emptyRoot(hash: HashFunction): Uint8Array {
  return hash(new Uint8Array());
}

/**
 * A complete subtree: the hash over leaves `[index · 2^level, (index + 1) · 2^level)`. Once complete it never changes,
 * so these hashes are what a log stores.
 */
export type CompleteSubtree = { readonly level: number; readonly index: number; readonly hash: Uint8Array };

/** Looks up the hash of a complete subtree. */
export type SubtreeAt = (level: number, index: number) => Uint8Array;

/** The largest power of two strictly smaller than `n`, for n ≥ 2 (section 2.1, "k"). */
export function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/**
 * The hash of the subtree over leaves `[from, to)`, where `from` is a multiple of the smallest power of two that is
 * ≥ to − from, as it is for every subtree that section 2.1 forms. Reads O(log n) complete subtrees.
 * @param from first leaf; `to` one past the last; to > from
 */
export function subtreeRoot(hash: HashFunction, from: number, to: number, at: SubtreeAt): Uint8Array {
  const size = to - from;
  let level = 0;
  let width = 1;
  while (width < size) {
    width *= 2;
    level += 1;
  }
  if (width === size) return at(level, from / width);
  const middle = from + splitPoint(size);
  return nodeHash(hash, subtreeRoot(hash, from, middle, at), subtreeRoot(hash, middle, to, at));
}

/** The root of the first `size` leaves, from the stored complete subtrees. */
export function rootAt(hash: HashFunction, size: number, at: SubtreeAt): Uint8Array {
  return size === 0 ? emptyRoot(hash) : subtreeRoot(hash, 0, size, at);
}

/** MTH of section 2.1 over leaf hashes, straight from its definition: for small lists, and as reference in tests. */
export function rootOfLeaves(hash: HashFunction, leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return emptyRoot(hash);
  if (leaves.length === 1) return only;
  const k = splitPoint(leaves.length);
  return nodeHash(hash, rootOfLeaves(hash, leaves.slice(0, k)), rootOfLeaves(hash, leaves.slice(k)));
}
