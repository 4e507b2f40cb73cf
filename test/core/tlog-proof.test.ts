import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { signCheckpoint } from '../../src/core/checkpoint.ts';
import { HASHES } from '../../src/core/digest.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { rootOfLeaves } from '../../src/core/merkle.ts';
import { proveInclusion } from '../../src/core/merkle-proofs.ts';
import { encodeTlogProof, parseTlogProof, verifyTlogProof } from '../../src/core/tlog-proof.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';
import { testTree } from './merkle-tree.ts';

const key = testKey('log');
const origin = 'example.org/log';

function make(hash: 'sha256' | 'blake3', index: number, size: number) {
  const tree = testTree(HASHES[hash], size);
  const checkpoint = signCheckpoint({ origin, size, root: rootOfLeaves(HASHES[hash], tree.leaves) }, key, hash);
  const hashes = proveInclusion(HASHES[hash], index, size, tree.at);
  const leaf = tree.leaves[index] as Uint8Array;
  return { proof: { index, hashes, checkpoint }, leaf, trust: { key: key.publicKey, origin, hash } };
}

describe('a tlog-proof', () => {
  it('reads as C2SP has it', () => {
    const { proof } = make('sha256', 5, 7);
    const text = decodeUtf8(encodeTlogProof({ ...proof, extra: utf8('hello') }));
    const hashes = proof.hashes.map(encodeBase64);
    const head = ['c2sp.org/tlog-proof@v1', 'extra aGVsbG8=', 'index 5', ...hashes, '', ''].join('\n');
    expect(text).toBe(head + decodeUtf8(proof.checkpoint));
    expect(parseTlogProof(utf8(text))).toEqual({ ...proof, extra: utf8('hello') });
  });

  it.each([
    ['sha256', 0, 1],
    ['sha256', 6, 7],
    ['blake3', 0, 1],
    ['blake3', 11, 37],
  ] as const)('verifies, round trip included (%s, %i of %i)', (hash, index, size) => {
    const { proof, leaf, trust } = make(hash, index, size);
    const bytes = encodeTlogProof(proof);
    expect(encodeTlogProof(parseTlogProof(bytes))).toEqual(bytes);
    const { checkpoint, index: found } = verifyTlogProof({ proof: bytes, leaf, ...trust });
    expect([found, checkpoint.size, checkpoint.origin]).toEqual([index, size, origin]);
  });
});

describe('an attacker', () => {
  const { proof, leaf, trust } = make('sha256', 5, 13);
  const bytes = encodeTlogProof(proof);
  const verify = (changes: object) => verifyTlogProof({ proof: bytes, leaf, ...trust, ...changes });

  it('with another leaf, index, key, origin or hash is refused', () => {
    const other = make('sha256', 6, 13);
    expectCode(() => verify({ leaf: other.leaf }), 'PROOF_MISMATCH');
    expectCode(() => verify({ proof: encodeTlogProof({ ...proof, index: 6 }) }), 'PROOF_MISMATCH');
    expectCode(() => verify({ proof: encodeTlogProof({ ...proof, index: 13 }) }), 'PROOF_MALFORMED');
    expectCode(() => verify({ key: testKey('other').publicKey }), 'NOTE_SIGNATURE');
    expectCode(() => verify({ origin: 'example.org/other' }), 'CHECKPOINT_ORIGIN');
    expectCode(() => verify({ hash: 'blake3' }), 'NOTE_SIGNATURE');
  });

  it('who puts another checkpoint in is refused, signed or not', () => {
    const { proof: longer } = make('sha256', 5, 14);
    expectCode(() => verify({ proof: encodeTlogProof({ ...proof, checkpoint: longer.checkpoint }) }), 'PROOF_MISMATCH');
    expectCode(() => verify({ proof: encodeTlogProof({ ...proof, checkpoint: utf8('x\n') }) }), 'NOTE_MALFORMED');
  });

  it.each([
    ['nothing', ''],
    ['another version', 'c2sp.org/tlog-proof@v2\nindex 0\n\nx'],
    ['no index', 'c2sp.org/tlog-proof@v1\n\nx'],
    ['a leading zero', 'c2sp.org/tlog-proof@v1\nindex 01\n\nx'],
    ['extra after the index', 'c2sp.org/tlog-proof@v1\nindex 0\nextra AA==\n\nx'],
    ['extra twice', 'c2sp.org/tlog-proof@v1\nextra AA==\nextra AA==\nindex 0\n\nx'],
    ['extra that is not base64', 'c2sp.org/tlog-proof@v1\nextra ???\nindex 0\n\nx'],
    ['a short hash', `c2sp.org/tlog-proof@v1\nindex 0\n${encodeBase64(new Uint8Array(31))}\n\nx`],
    ['no empty line', 'c2sp.org/tlog-proof@v1\nindex 0\n'],
    ['carriage returns', 'c2sp.org/tlog-proof@v1\r\nindex 0\r\n\r\nx'],
    ['54 hashes', `c2sp.org/tlog-proof@v1\nindex 0\n${`${encodeBase64(new Uint8Array(32))}\n`.repeat(54)}\nx`],
    ['extra of a megabyte', `c2sp.org/tlog-proof@v1\nextra ${'A'.repeat(2 ** 20)}\nindex 0\n\nx`],
  ])('who sends %s is refused', (_, text) => {
    expectCode(() => parseTlogProof(utf8(text)), 'PROOF_MALFORMED');
  });

  it('who flips any bit is refused', () => {
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] as number) ^ (1 << bit);
        expect(() => verify({ proof: changed })).toThrowError(DaemonEyeError);
      }),
      { numRuns: runs(500, 20_000) },
    );
  });
});
