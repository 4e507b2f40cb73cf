import { createHash } from 'node:crypto';
import { MerkleTree } from 'merkletreejs';
import { describe, expect, it } from 'vitest';
import { encodeHex, utf8 } from '../../src/core/bytes.ts';
import { Frontier } from '../../src/core/compact-range.ts';
import { blake3, sha256 } from '../../src/core/digest.ts';
import { emptyRoot, leafHash, nodeHash, rootAt, rootOfLeaves } from '../../src/core/merkle.ts';
import { SLOW } from '../support/slow.ts';
import { testLeaf, testTree } from './merkle-tree.ts';

describe('hashing a tree', () => {
  it('gives the roots that RFC 6962 implementations publish', () => {
    // The eight leaves of the Certificate Transparency reference tests, and the roots of 0, 1, 2 and 8 of them.
    const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const hashes = leaves.map((hex) => leafHash(sha256, Buffer.from(hex, 'hex')));
    const root = (n: number) => encodeHex(rootOfLeaves(sha256, hashes.slice(0, n)));
    expect(root(0)).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(root(1)).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
    expect(root(2)).toBe('fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125');
    expect(root(8)).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  it('keeps leaves and nodes apart', () => {
    const [left, right] = [leafHash(sha256, utf8('a')), leafHash(sha256, utf8('b'))];
    const asLeaf = leafHash(sha256, Buffer.concat([left, right]));
    expect(nodeHash(sha256, left, right)).not.toEqual(asLeaf);
    expect(emptyRoot(blake3)).toEqual(blake3(new Uint8Array()));
  });

  it.each([
    ['sha256', sha256],
    ['blake3', blake3],
  ])(
    'agrees with merkletreejs on sizes to 1,000: each to 300, then every seventh, all under SLOW=1 (%s)',
    (_, hash) => {
      const frontier = Frontier.empty(hash);
      const leaves: Uint8Array[] = [];
      for (let size = 1; size <= 1000; size += 1) {
        const leaf = leafHash(hash, testLeaf(size - 1));
        leaves.push(leaf);
        frontier.append(leaf);
        if (size > 300 && size % 7 !== 0 && size < 1000 && !SLOW) continue;
        expect(encodeHex(frontier.root()), `size ${size}`).toBe(oracleRoot(hash, leaves));
      }
    },
  );

  /**
   * merkletreejs promotes a lonely node unchanged, which gives the RFC 6962 shape; it has no prefixes, so its hash
   * function gets them: what it hashes are always two children.
   */
  function oracleRoot(hash: (bytes: Uint8Array) => Uint8Array, leaves: readonly Uint8Array[]): string {
    const withPrefix = (pair: Buffer) => Buffer.from(hash(Buffer.concat([Uint8Array.of(0x01), pair])));
    const tree = new MerkleTree(leaves.map(Buffer.from), withPrefix, { hashLeaves: false, sort: false });
    return tree.getRoot().toString('hex');
  }

  it('the oracle is no echo: it computes by itself', () => {
    const direct = (pair: Uint8Array) => new Uint8Array(createHash('sha256').update(pair).digest());
    expect(oracleRoot(direct, [testLeaf(0), testLeaf(1)])).not.toBe(
      encodeHex(nodeHash(sha256, testLeaf(0), testLeaf(0))),
    );
  });
});

describe('the frontier', () => {
  it('has the root of the definition at every size, and stores every complete subtree once', () => {
    const frontier = Frontier.empty(sha256);
    const leaves: Uint8Array[] = [];
    const seen = new Set<string>();
    for (let i = 0; i < 130; i += 1) {
      leaves.push(leafHash(sha256, testLeaf(i)));
      for (const { level, index, hash } of frontier.append(leaves[i] as Uint8Array)) {
        const name = `${level}/${index}`;
        expect(seen.has(name)).toBe(false);
        seen.add(name);
        expect(hash).toEqual(rootOfLeaves(sha256, leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)));
      }
      expect(frontier.size).toBe(i + 1);
      expect(frontier.root()).toEqual(rootOfLeaves(sha256, leaves));
    }
    expect(seen.size).toBe(130 + 65 + 32 + 16 + 8 + 4 + 2 + 1);
  });

  it('is unmoved by what happens to its clone', () => {
    const frontier = Frontier.empty(sha256);
    frontier.append(testLeaf(0));
    const root = frontier.root();
    const clone = frontier.clone();
    clone.append(testLeaf(1));
    expect(frontier.root()).toEqual(root);
    expect(frontier.size).toBe(1);
    expect(clone.size).toBe(2);
  });

  it('gives the same roots as the stored subtrees do', () => {
    const tree = testTree(sha256, 70);
    for (let size = 0; size <= 70; size += 1) {
      expect(rootAt(sha256, size, tree.at)).toEqual(rootOfLeaves(sha256, tree.leaves.slice(0, size)));
    }
  });
});
