import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeHex } from '../../src/core/bytes.ts';
import { blake3, HASHES, sha256 } from '../../src/core/digest.ts';
import { createHashFunction } from '../../src/ledger/hashing.ts';
import { runs } from '../support/slow.ts';
import { vectors } from '../support/vectors.ts';

const folder = vectors('blake3');

describe.skipIf(folder === undefined)('the BLAKE3 test vectors', () => {
  const { cases } = JSON.parse(readFileSync(join(folder ?? '', 'test_vectors.json'), 'utf8')) as {
    cases: { input_len: number; hash: string }[];
  };

  it('hold for the reference and for the hot path', async () => {
    const hot = await createHashFunction('blake3');
    expect(cases.length).toBeGreaterThan(30);
    for (const { input_len, hash } of cases) {
      const input = Uint8Array.from({ length: input_len }, (_, i) => i % 251);
      expect(encodeHex(blake3(input)), `noble, ${input_len} bytes`).toBe(hash.slice(0, 64));
      expect(encodeHex(hot(input)), `hash-wasm, ${input_len} bytes`).toBe(hash.slice(0, 64));
    }
  });
});

describe.each(['sha256', 'blake3'] as const)('the hot path (%s)', (name) => {
  it('agrees with the reference on anything', async () => {
    const hot = await createHashFunction(name);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(hot(bytes)).toEqual(HASHES[name](bytes));
      }),
      { numRuns: runs(200, 5000) },
    );
  });

  it('hands out hashes that later ones do not overwrite', async () => {
    const [one, two] = [await createHashFunction(name), await createHashFunction(name)];
    const first = one(Uint8Array.of(1));
    const kept = first.slice();
    two(Uint8Array.of(2));
    one(Uint8Array.of(3));
    expect(first).toEqual(kept);
  });
});

it('SHA-256 of nothing is what everybody knows', () => {
  expect(encodeHex(sha256(new Uint8Array()))).toMatch(/^e3b0c442/);
});
