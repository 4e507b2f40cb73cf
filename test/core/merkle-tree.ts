import { Frontier } from '../../src/core/compact-range.ts';
import type { HashFunction } from '../../src/core/digest.ts';
import { leafHash, type SubtreeAt } from '../../src/core/merkle.ts';

/** A small tree with its complete subtrees stored, as a log stores them. */
export type TestTree = {
  readonly leaves: readonly Uint8Array[];
  readonly at: SubtreeAt;
  /** Hashes looked up so far. */
  reads(): number;
};

export function testLeaf(index: number): Uint8Array {
  return new TextEncoder().encode(`leaf ${index}`);
}

export function testTree(hash: HashFunction, size: number): TestTree {
  const frontier = Frontier.empty(hash);
  const stored = new Map<string, Uint8Array>();
  const leaves: Uint8Array[] = [];
  for (let i = 0; i < size; i += 1) {
    const leaf = leafHash(hash, testLeaf(i));
    leaves.push(leaf);
    for (const subtree of frontier.append(leaf)) stored.set(`${subtree.level}/${subtree.index}`, subtree.hash);
  }
  let reads = 0;
  return {
    leaves,
    at: (level, index) => {
      reads += 1;
      const found = stored.get(`${level}/${index}`);
      if (found === undefined) throw new Error(`no complete subtree ${level}/${index} in ${size} leaves`);
      return found;
    },
    reads: () => reads,
  };
}
