import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { leafHash, rootOfLeaves, splitPoint } from '../../src/core/merkle.ts';
import {
  countShown,
  proveRange,
  type RangeClaim,
  type RangeShape,
  runsOf,
  type Stretch,
  type StretchHash,
  verifyRange,
  withheldOf,
} from '../../src/core/range-proof.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs as tries } from '../support/slow.ts';

const leaves = Array.from({ length: 1100 }, (_, i) => leafHash(sha256, utf8(`leaf ${i}`)));

const known = new Map<string, Uint8Array>();

/** The root of some of the leaves, from the definition; worked out once. */
function rootOf(from: number, to: number): Uint8Array {
  const root = known.get(`${from} ${to}`) ?? rootOfLeaves(sha256, leaves.slice(from, to));
  known.set(`${from} ${to}`, root);
  return root;
}

const at = (level: number, index: number) => rootOf(index * 2 ** level, (index + 1) * 2 ** level);

function shapeOf(size: number, from: number, to: number, shown: readonly number[]): RangeShape {
  return { size, from, to, runs: runsOf(shown) };
}

function claimOf(shape: RangeShape): RangeClaim {
  const root = rootOf(0, shape.size);
  return { ...shape, root, leafAt: (index) => leaves[index], hashes: proveRange(sha256, shape, at) };
}

/** The stretches, straight from what they are: maximal subtrees, none of whose leaves are shown, not astride an end. */
function expectedStretches({ size, from, to, runs }: RangeShape, low = 0, high = size): Stretch[] {
  const isShown = (i: number) => runs.some((run) => i >= run.from && i < run.to);
  const own = Array.from({ length: high - low }, (_, i) => low + i);
  const isOneKind = high <= from || low >= to || (low >= from && high <= to);
  if (isOneKind && !own.some(isShown)) return [{ from: low, to: high }];
  if (own.every(isShown)) return [];
  const middle = low + splitPoint(high - low);
  const shape = { size, from, to, runs };
  return [...expectedStretches(shape, low, middle), ...expectedStretches(shape, middle, high)];
}

function expectHolds(shape: RangeShape): void {
  const claim = claimOf(shape);
  // Compared as text: thousands of these are made.
  const found = claim.hashes.map(({ from, to }) => ({ from, to }));
  expect(JSON.stringify(found)).toBe(JSON.stringify(expectedStretches(shape)));
  verifyRange(sha256, claim);
}

/** Any selection in any range of a tree of up to `max` leaves. */
function anyShape(max: number): fc.Arbitrary<RangeShape> {
  return fc.integer({ min: 1, max }).chain((size) =>
    fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.integer({ min: 1, max: size })).chain(([a, b]) => {
      const [from, to] = a < b ? [a, b] : [b - 1, a + 1];
      const inside = Array.from({ length: to - from }, (_, i) => from + i);
      return fc.subarray(inside).map((shown) => shapeOf(size, from, to, shown));
    }),
  );
}

describe('range proofs', () => {
  it('hold for every selection in every range of every tree of up to 6 leaves', () => {
    let count = 0;
    for (let size = 1; size <= 6; size += 1) {
      for (let from = 0; from < size; from += 1) {
        for (let to = from + 1; to <= size; to += 1) {
          for (let bits = 0; bits < 2 ** (to - from); bits += 1) {
            const inside = Array.from({ length: to - from }, (_, i) => from + i);
            expectHolds(
              shapeOf(
                size,
                from,
                to,
                inside.filter((_, i) => (bits >> i) & 1),
              ),
            );
            count += 1;
          }
        }
      }
    }
    expect(count).toBe(438);
  });

  it('hold for every range of every tree of up to 24 leaves, nothing, all, one, every second or third shown', () => {
    for (let size = 1; size <= 24; size += 1) {
      for (let from = 0; from < size; from += 1) {
        for (let to = from + 1; to <= size; to += 1) {
          const inside = Array.from({ length: to - from }, (_, i) => from + i);
          expectHolds(shapeOf(size, from, to, []));
          expectHolds(shapeOf(size, from, to, inside));
          expectHolds(shapeOf(size, from, to, [inside[(size * 7) % inside.length] ?? from]));
          for (const step of [2, 3]) {
            expectHolds(
              shapeOf(
                size,
                from,
                to,
                inside.filter((i) => i % step === 0),
              ),
            );
          }
        }
      }
    }
  });

  it('hold for any selection in larger trees', () => {
    fc.assert(fc.property(anyShape(200), expectHolds), { numRuns: tries(150, 5000) });
  });

  it('grow with what is shown, not with what is withheld', () => {
    const log = Math.ceil(Math.log2(1100));
    for (const shown of [[], [0], [777], [1099], [3, 500, 900], Array.from({ length: 256 }, (_, i) => 600 + i)]) {
      const shape = shapeOf(
        1100,
        2,
        1100,
        shown.filter((i) => i >= 2),
      );
      const { hashes } = claimOf(shape);
      expect(hashes.length).toBeLessThanOrEqual((2 * shape.runs.length + 2) * log);
    }
    expect(claimOf(shapeOf(1024, 0, 1024, [])).hashes).toHaveLength(1);
    expect(
      claimOf(
        shapeOf(
          1024,
          0,
          1024,
          Array.from({ length: 1024 }, (_, i) => i),
        ),
      ).hashes,
    ).toHaveLength(0);
    expect(claimOf(shapeOf(1024, 0, 1024, [511])).hashes).toHaveLength(10);
  });

  it('count what is shown and withheld', () => {
    const shape = shapeOf(100, 10, 20, [10, 11, 15, 19]);
    expect(shape.runs).toEqual([
      { from: 10, to: 12 },
      { from: 15, to: 16 },
      { from: 19, to: 20 },
    ]);
    expect(countShown(shape)).toBe(4);
    expect(withheldOf(shape)).toEqual([
      { from: 12, to: 15 },
      { from: 16, to: 19 },
    ]);
    expect(withheldOf(shapeOf(100, 10, 20, []))).toEqual([{ from: 10, to: 20 }]);
    expect(withheldOf(shapeOf(100, 10, 12, [10, 11]))).toEqual([]);
    fc.assert(
      fc.property(anyShape(60), (any) => {
        const withheld = withheldOf(any).reduce((sum, { from, to }) => sum + to - from, 0);
        expect(withheld + countShown(any)).toBe(any.to - any.from);
      }),
    );
  });
});

describe('a range proof that was tampered with', () => {
  const shape = shapeOf(100, 10, 60, [12, 13, 14, 40, 59]);
  const claim = claimOf(shape);
  const flipped = (bytes: Uint8Array | undefined) =>
    Uint8Array.from(bytes ?? [], (byte, i) => (i === 5 ? byte ^ 1 : byte));

  it.each<[string, Partial<RangeClaim>, string]>([
    ['another leaf', { leafAt: (i) => (i === 13 ? flipped(leaves[i]) : leaves[i]) }, 'PROOF_MISMATCH'],
    ['two leaves swapped', { leafAt: (i) => leaves[i === 12 ? 13 : i === 13 ? 12 : i] }, 'PROOF_MISMATCH'],
    ['a missing leaf', { leafAt: (i) => (i === 40 ? undefined : leaves[i]) }, 'PROOF_MALFORMED'],
    ['a short leaf', { leafAt: (i) => leaves[i]?.slice(1) }, 'PROOF_MALFORMED'],
    ['another root', { root: flipped(claim.root) }, 'PROOF_MISMATCH'],
    ['a hash less', { hashes: claim.hashes.slice(0, -1) }, 'PROOF_MALFORMED'],
    ['a hash more', { hashes: [...claim.hashes, ...claim.hashes.slice(0, 1)] }, 'PROOF_MALFORMED'],
    ['no hashes', { hashes: [] }, 'PROOF_MALFORMED'],
    ['another size', { size: 101 }, 'PROOF_MALFORMED'],
    ['a range that says one withheld line less', { to: 59, runs: shape.runs.slice(0, 2) }, 'PROOF_MALFORMED'],
    ['a range that starts later', { from: 11 }, 'PROOF_MALFORMED'],
    ['a range outside the tree', { to: 101 }, 'PROOF_MALFORMED'],
    ['an empty range', { from: 10, to: 10, runs: [] }, 'PROOF_MALFORMED'],
    ['a negative range', { from: -1 }, 'PROOF_MALFORMED'],
    ['a size that is no number', { size: Number.NaN }, 'PROOF_MALFORMED'],
    ['a gigantic size', { size: Number.MAX_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER }, 'PROOF_MALFORMED'],
    [
      'a gigantic run',
      { size: 2 ** 53 - 1, from: 0, to: 2 ** 53 - 1, runs: [{ from: 0, to: 2 ** 53 - 1 }] },
      'PROOF_MALFORMED',
    ],
    ['a run said not to be shown', { runs: shape.runs.slice(1) }, 'PROOF_MALFORMED'],
    [
      'a shown line moved',
      {
        runs: [
          { from: 12, to: 15 },
          { from: 41, to: 42 },
          { from: 59, to: 60 },
        ],
      },
      'PROOF_MALFORMED',
    ],
    [
      'runs that touch',
      { runs: [{ from: 12, to: 13 }, { from: 13, to: 15 }, ...shape.runs.slice(1)] },
      'PROOF_MALFORMED',
    ],
    ['runs out of order', { runs: shape.runs.toReversed() }, 'PROOF_MALFORMED'],
    ['an empty run', { runs: [{ from: 11, to: 11 }, ...shape.runs] }, 'PROOF_MALFORMED'],
    ['a run outside the range', { runs: [...shape.runs.slice(0, 2), { from: 59, to: 61 }] }, 'PROOF_MALFORMED'],
    ['a fractional run', { runs: [{ from: 11.5, to: 12.5 }] }, 'PROOF_MALFORMED'],
  ])('is refused: %s', (_, change, code) => {
    expectCode(() => verifyRange(sha256, { ...claim, ...change }), code);
  });

  it('is refused whatever is changed in it', () => {
    const anyChange = anyShape(80).chain((any) => {
      const whole = claimOf(any);
      const places = fc.nat({ max: Math.max(0, whole.hashes.length - 1) });
      return fc.tuple(
        fc.constant(whole),
        fc.constantFrom<'hash' | 'from' | 'to' | 'drop' | 'double' | 'leaf'>(
          'hash',
          'from',
          'to',
          'drop',
          'double',
          'leaf',
        ),
        places,
        fc.nat({ max: 31 }),
        fc.integer({ min: 1, max: 255 }),
      );
    });
    const xor = (bytes: Uint8Array, byte: number, by: number) =>
      Uint8Array.from(bytes, (value, i) => (i === byte ? value ^ by : value));
    fc.assert(
      fc.property(anyChange, ([whole, kind, place, byte, by]) => {
        const target = whole.hashes[place];
        const replaced = (hash: StretchHash[]) => [
          ...whole.hashes.slice(0, place),
          ...hash,
          ...whole.hashes.slice(place + 1),
        ];
        const change = (): RangeClaim | undefined => {
          if (kind === 'leaf') {
            const first = whole.runs[0];
            if (first === undefined) return undefined;
            return {
              ...whole,
              leafAt: (i) => (i === first.from ? xor(leaves[i] ?? new Uint8Array(), byte, by) : leaves[i]),
            };
          }
          if (target === undefined) return undefined;
          if (kind === 'hash') return { ...whole, hashes: replaced([{ ...target, hash: xor(target.hash, byte, by) }]) };
          if (kind === 'drop') return { ...whole, hashes: replaced([]) };
          if (kind === 'double') return { ...whole, hashes: replaced([target, target]) };
          return { ...whole, hashes: replaced([{ ...target, [kind]: target[kind] + by }]) };
        };
        const changed = change();
        if (changed === undefined) return;
        expect(() => verifyRange(sha256, changed)).toThrow(/^not a proof of this range|^the range proof leads/);
      }),
      { numRuns: tries(300, 10_000) },
    );
  });
});
