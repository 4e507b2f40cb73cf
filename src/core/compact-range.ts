import type { HashFunction } from './digest.ts';
import { type CompleteSubtree, emptyRoot, nodeHash } from './merkle.ts';

/** The complete subtrees that cover all leaves, narrowest first. Shared between copies, so never changed. */
type Edge = { readonly top: CompleteSubtree; readonly wider: Edge | undefined };

/**
 * The growing edge of a tree: the hashes of the maximal complete subtrees that cover all leaves so far, one for each
 * bit set in the size. All that is needed to append a leaf or to know the root, in O(log n) memory.
 */
export class Frontier {
  readonly #hash: HashFunction;
  #edge: Edge | undefined;
  #size: number;

  private constructor(hash: HashFunction, edge: Edge | undefined, size: number) {
    this.#hash = hash;
    this.#edge = edge;
    this.#size = size;
  }

  static empty(hash: HashFunction): Frontier {
    return new Frontier(hash, undefined, 0);
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Appends one leaf hash.
   * @returns the subtrees it completed, from the leaf (level 0) upwards; storing them all stores the tree
   */
  append(leaf: Uint8Array): CompleteSubtree[] {
    let top: CompleteSubtree = { level: 0, index: this.#size, hash: leaf };
    let edge = this.#edge;
    const completed = [top];
    while (edge !== undefined && edge.top.level === top.level) {
      const { index, hash } = edge.top;
      top = { level: top.level + 1, index: index / 2, hash: nodeHash(this.#hash, hash, top.hash) };
      completed.push(top);
      edge = edge.wider;
    }
    this.#edge = { top, wider: edge };
    this.#size += 1;
    return completed;
  }

  /** The root over all leaves so far: the edge folded from its narrow end (RFC 6962 section 2.1). */
  root(): Uint8Array {
    if (this.#edge === undefined) return emptyRoot(this.#hash);
    let root = this.#edge.top.hash;
    for (let edge = this.#edge.wider; edge !== undefined; edge = edge.wider) {
      root = nodeHash(this.#hash, edge.top.hash, root);
    }
    return root;
  }

  /** An independent copy, for the price of one object. */
  clone(): Frontier {
    return new Frontier(this.#hash, this.#edge, this.#size);
  }
}
