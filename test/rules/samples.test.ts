import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesExpected, sampleTables } from '../../src/rules/samples.ts';
import { runs } from '../support/slow.ts';

describe('what a sample expects', () => {
  it('is the whole answer, in any order, by the columns it names', () => {
    const rows = [
      { a: 1, b: 'x' },
      { a: 2, b: 'y' },
    ];
    expect(matchesExpected(rows, [{ a: 2 }, { b: 'x' }])).toBe(true);
    expect(matchesExpected(rows, [{ a: 2 }])).toBe(false);
    expect(matchesExpected(rows, [{ a: 2 }, { a: 2 }])).toBe(false);
    expect(matchesExpected(rows, [{ a: 2 }, { c: null }])).toBe(false);
    expect(matchesExpected([], [])).toBe(true);
  });

  it('tells values of different types apart, but for booleans, which SQLite has not', () => {
    expect(matchesExpected([{ a: 1 }], [{ a: '1' }])).toBe(false);
    expect(matchesExpected([{ a: null }], [{ a: 0 }])).toBe(false);
    expect(matchesExpected([{ a: 1 }], [{ a: true }])).toBe(true);
  });

  it('finds a pairing where taking the first that fits would not', () => {
    const rows = [
      { a: 1, b: 1 },
      { a: 1, b: 2 },
    ];
    expect(matchesExpected(rows, [{ a: 1 }, { b: 1 }])).toBe(true);
  });

  it('finds one whenever there is one (against trying all orders)', () => {
    const bit = fc.integer({ min: 0, max: 1 });
    const row = fc.record({ a: bit, b: bit });
    const want = fc.record({ a: bit, b: bit }, { requiredKeys: [] });
    const permute = <T>(items: readonly T[]): T[][] =>
      items.length === 0
        ? [[]]
        : items.flatMap((item, i) => permute(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
    fc.assert(
      fc.property(fc.array(row, { maxLength: 4 }), fc.array(want, { maxLength: 4 }), (rows, expected) => {
        const fits = (order: readonly { a: number; b: number }[]) =>
          expected.every((e, i) => (e.a ?? order[i]?.a) === order[i]?.a && (e.b ?? order[i]?.b) === order[i]?.b);
        const possible = rows.length === expected.length && permute(rows).some(fits);
        expect(matchesExpected(rows, expected)).toBe(possible);
      }),
      { numRuns: runs(500, 20_000) },
    );
  });
});

describe('the tables of a sample', () => {
  it('have rows of new_processes in processes too, with identities made up', () => {
    const tables = sampleTables({
      processes: [{ process_name: 'a' }],
      new_processes: [{ process_name: 'b', entity: 'e' }],
    });
    expect(tables['processes']).toHaveLength(2);
    expect(tables['new_processes']).toEqual([tables['processes']?.[1]]);
    expect(tables['new_processes']?.[0]).toMatchObject({ entity: 'e', host_id: 'sample-host', process_name: 'b' });
    expect(new Set(tables['processes']?.map(({ entity }) => entity)).size).toBe(2);
  });
});
