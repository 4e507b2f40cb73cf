import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blake3, sha256 } from '../../src/core/digest.ts';
import { CoreError } from '../../src/core/errors.ts';
import { rootOfLeaves } from '../../src/core/merkle.ts';
import {
  type Consistency,
  type Inclusion,
  proveConsistency,
  proveInclusion,
  verifyConsistency,
  verifyInclusion,
} from '../../src/core/merkle-proofs.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';
import { vectors } from '../support/vectors.ts';
import { testTree } from './merkle-tree.ts';

const folder = vectors('merkle');

describe.skipIf(folder === undefined)('public vectors of transparency-dev/merkle', () => {
  const bytes = (base64: string | null) => new Uint8Array(Buffer.from(base64 ?? '', 'base64'));
  const proofOf = (proof: string[] | null) => (proof ?? []).map(bytes);

  it('gives every inclusion proof its verdict', () => {
    let good = 0;
    for (const { name, vector } of load('inclusion')) {
      const { leafIdx: index, treeSize: size } = vector;
      const [leaf, root, proof] = [bytes(vector.leafHash), bytes(vector.root), proofOf(vector.proof)];
      const accepted = accepts(() => verifyInclusion(sha256, { index, size, leaf, root, proof }));
      expect(accepted, `${name}: ${vector.desc}`).toBe(!vector.wantErr);
      good += accepted ? 1 : 0;
    }
    expect(good).toBeGreaterThan(5);
  });

  it('gives every consistency proof its verdict', () => {
    let good = 0;
    for (const { name, vector } of load('consistency')) {
      const { size1, size2 } = vector;
      const [root1, root2, proof] = [bytes(vector.root1), bytes(vector.root2), proofOf(vector.proof)];
      const accepted = accepts(() => verifyConsistency(sha256, { size1, size2, root1, root2, proof }));
      expect(accepted, `${name}: ${vector.desc}`).toBe(!vector.wantErr);
      good += accepted ? 1 : 0;
    }
    expect(good).toBeGreaterThan(5);
  });

  function load(kind: string) {
    const base = join(folder ?? '', kind);
    const names = readdirSync(base, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
    expect(names.length).toBeGreaterThan(50);
    return names.map((name) => ({ name, vector: JSON.parse(readFileSync(join(base, name), 'utf8')) }));
  }

  /** Refusing is throwing one of our two codes; anything else is a crash, not a verdict. */
  function accepts(verify: () => void): boolean {
    try {
      verify();
      return true;
    } catch (error) {
      if (error instanceof CoreError && ['PROOF_MALFORMED', 'PROOF_MISMATCH'].includes(error.code)) return false;
      throw error;
    }
  }
});

/** Trees of all these sizes, built once. */
const SIZES = 70;
const tree = testTree(blake3, SIZES);
const roots = Array.from({ length: SIZES + 1 }, (_, size) => rootOfLeaves(blake3, tree.leaves.slice(0, size)));
const root = (size: number) => roots[size] as Uint8Array;

function inclusion(index: number, size: number): Inclusion {
  const leaf = tree.leaves[index] as Uint8Array;
  return { index, size, leaf, root: root(size), proof: proveInclusion(blake3, index, size, tree.at) };
}

function consistency(size1: number, size2: number): Consistency {
  const proof = proveConsistency(blake3, size1, size2, tree.at);
  return { size1, size2, root1: root(size1), root2: root(size2), proof };
}

describe('proofs that we make', () => {
  it('verify, for every leaf of every size and every pair of sizes', () => {
    for (let size = 1; size <= SIZES; size += 1) {
      for (let i = 0; i < size; i += 1) verifyInclusion(blake3, inclusion(i, size));
      for (let older = 1; older <= size; older += 1) verifyConsistency(blake3, consistency(older, size));
    }
  });

  it('read no more than a few hashes', () => {
    const large = testTree(sha256, 5000);
    proveInclusion(sha256, 1234, 5000, large.at);
    expect(large.reads()).toBeLessThan(2 * Math.ceil(Math.log2(5000)));
    proveConsistency(sha256, 1235, 5000, large.at);
    expect(large.reads()).toBeLessThan(5 * Math.ceil(Math.log2(5000)));
  });

  it('are refused for leaves and sizes that do not exist', () => {
    for (const [index, size] of [
      [0, 0],
      [5, 5],
      [-1, 5],
      [0.5, 5],
      [Number.NaN, 5],
      [0, 2 ** 53],
    ] as const) {
      expectCode(() => proveInclusion(blake3, index, size, tree.at), 'PROOF_MALFORMED');
      expectCode(
        () => verifyInclusion(blake3, { index, size, leaf: root(1), root: root(1), proof: [] }),
        'PROOF_MALFORMED',
      );
    }
    for (const [size1, size2] of [
      [0, 0],
      [0, 5],
      [6, 5],
      [1.5, 5],
      [1, 2 ** 53],
    ] as const) {
      expectCode(() => proveConsistency(blake3, size1, size2, tree.at), 'PROOF_MALFORMED');
      const claim = { size1, size2, root1: root(1), root2: root(1), proof: [] };
      expectCode(() => verifyConsistency(blake3, claim), 'PROOF_MALFORMED');
    }
  });
});

describe('an attacker who changes one thing', () => {
  const refused = (verify: () => void) => expect(verify).toThrowError(CoreError);
  const flip = (bytes: Uint8Array, bit: number) => {
    const changed = bytes.slice();
    const at = Math.floor(bit / 8) % changed.length;
    changed[at] = (changed[at] as number) ^ (1 << (bit % 8));
    return changed;
  };
  const size = fc.integer({ min: 1, max: SIZES });
  const pair = fc.tuple(size, size).map(([a, b]) => (a <= b ? ([a, b] as const) : ([b, a] as const)));
  const bit = fc.nat({ max: 255 });
  const numRuns = runs(300, 20_000);

  it('in an inclusion proof is refused', () => {
    fc.assert(
      fc.property(pair, bit, fc.nat(), ([n, m], b, pick) => {
        const claim = inclusion(n - 1, m);
        const { proof } = claim;
        const i = proof.length === 0 ? 0 : pick % proof.length;
        const hashes = proof.map((hash, at) => (at === i ? flip(hash, b) : hash));
        refused(() => verifyInclusion(blake3, { ...claim, leaf: flip(claim.leaf, b) }));
        refused(() => verifyInclusion(blake3, { ...claim, root: flip(claim.root, b) }));
        refused(() => verifyInclusion(blake3, { ...claim, proof: [...proof, root(m)] }));
        refused(() => verifyInclusion(blake3, { ...claim, proof: [root(m), ...proof] }));
        refused(() => verifyInclusion(blake3, { ...claim, leaf: claim.leaf.slice(1) }));
        if (proof.length === 0) return;
        refused(() => verifyInclusion(blake3, { ...claim, proof: hashes }));
        refused(() => verifyInclusion(blake3, { ...claim, proof: proof.toSpliced(i, 1) }));
        refused(() => verifyInclusion(blake3, { ...claim, proof: proof.with(i, (proof[i] as Uint8Array).slice(1)) }));
        for (const index of [claim.index - 1, claim.index + 1])
          refused(() => verifyInclusion(blake3, { ...claim, index }));
      }),
      { numRuns },
    );
  });

  it('in the size of an inclusion proof is refused by the root of that size', () => {
    // The walk of RFC 9162 sees only the shape above the leaf, which two sizes can share: what pins the size is that a
    // signed checkpoint gives size and root together.
    fc.assert(
      fc.property(pair, size, ([n, m], other) => {
        fc.pre(other !== m && other >= n);
        refused(() => verifyInclusion(blake3, { ...inclusion(n - 1, m), size: other, root: root(other) }));
      }),
      { numRuns },
    );
  });

  it('in a consistency proof is refused', () => {
    fc.assert(
      fc.property(pair, bit, fc.nat(), ([a, b], x, pick) => {
        const claim = consistency(a, b);
        const { proof } = claim;
        const i = proof.length === 0 ? 0 : pick % proof.length;
        refused(() => verifyConsistency(blake3, { ...claim, root1: flip(claim.root1, x) }));
        refused(() => verifyConsistency(blake3, { ...claim, root2: flip(claim.root2, x) }));
        refused(() => verifyConsistency(blake3, { ...claim, proof: [...proof, root(b)] }));
        refused(() => verifyConsistency(blake3, { ...claim, proof: [root(a), ...proof] }));
        if (proof.length === 0) return;
        refused(() => verifyConsistency(blake3, { ...claim, proof: proof.with(i, flip(proof[i] as Uint8Array, x)) }));
        refused(() => verifyConsistency(blake3, { ...claim, proof: proof.toSpliced(i, 1) }));
        refused(() => verifyConsistency(blake3, { ...claim, root1: claim.root2, root2: claim.root1 }));
        refused(() => verifyConsistency(blake3, { ...claim, size1: a - 1 }));
        refused(() => verifyConsistency(blake3, { ...claim, size1: a + 1 }));
      }),
      { numRuns },
    );
  });

  it('by forking the history is refused', () => {
    const other = testTree(blake3, SIZES);
    const forked = rootOfLeaves(blake3, [...tree.leaves.slice(0, 20), ...other.leaves.slice(0, 20)]);
    const claim = consistency(30, 40);
    expectCode(() => verifyConsistency(blake3, { ...claim, root2: forked }), 'PROOF_MISMATCH');
    const same = { ...consistency(40, 40), root1: forked };
    expectCode(() => verifyConsistency(blake3, same), 'PROOF_MISMATCH');
  });
});
