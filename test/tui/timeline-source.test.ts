import { describe, expect, it } from 'vitest';
import type { CaseReader } from '../../src/forensics/case/query-io.ts';
import { timelinePageSql, timelineRowsSql } from '../../src/forensics/case/timeline.ts';
import { createTimelineSource, MAX_FOUND } from '../../src/tui/timeline-source.ts';

/** What is asked of a case with ten million lines; with a real one in hunt.test.ts. */

const TOTAL = 10_000_000;

function recorder(answer: (sql: string) => readonly (readonly number[])[]) {
  const asked: string[] = [];
  const query: CaseReader['query'] = async (sql) => {
    asked.push(sql);
    return { columns: [], origins: [], reads: {}, rows: answer(sql) };
  };
  return { asked, source: createTimelineSource({ query } as CaseReader) };
}

const rangeOf = (sql: string) => (/BETWEEN (\d+) AND (\d+)/.exec(sql) ?? []).slice(1).map(Number);

describe('a page', () => {
  it('is found by its range, never by counting up to it', async () => {
    const { asked, source } = recorder(() => []);
    await source.rows([TOTAL - 2, TOTAL - 1]);
    expect(asked).toEqual([timelinePageSql(TOTAL - 2, TOTAL - 1)]);
    expect(rangeOf(asked[0] ?? '')).toEqual([TOTAL - 2, TOTAL - 1]);
    expect(asked[0]).not.toMatch(/OFFSET/i);
  });

  it('of lines that lie apart is looked for near each of them, a few in one question', () => {
    const rows = Array.from({ length: 60 }, (_, i) => i * 100_000).flatMap((row) => [row, row + 5]);
    const asked = timelineRowsSql(rows);
    expect(asked).toHaveLength(3);
    const looks = asked.flatMap((sql) => [...sql.matchAll(/BETWEEN (\d+) AND (\d+) AND rowid IN \((\d+), (\d+)\)/g)]);
    expect(looks.flatMap(([, , , one, other]) => [Number(one), Number(other)])).toEqual(rows);
    for (const [, from, to] of looks) expect(Number(to) - Number(from)).toBe(5);
    expect(timelineRowsSql([])).toEqual([]);
  });
});

describe('a search', () => {
  const options = (shares: number[] = []) => ({
    total: TOTAL,
    signal: new AbortController().signal,
    onProgress: (share: number) => shares.push(share),
  });

  it('reads every line once, in parts, and tells how far it is', async () => {
    const { asked, source } = recorder((sql) => [[rangeOf(sql)[0] ?? -1]]);
    const shares: number[] = [];
    const found = await source.search('x', options(shares));
    const ranges = asked.map(rangeOf);
    expect(ranges[0]?.[0]).toBe(0);
    for (const [i, [from = 0]] of ranges.entries()) expect(from).toBe((ranges[i - 1]?.[1] ?? -1) + 1);
    expect(ranges.at(-1)?.[1]).toBeGreaterThanOrEqual(TOTAL - 1);
    expect(found).toEqual(ranges.map(([from]) => from));
    expect(shares).toHaveLength(ranges.length - 1);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  });

  it('stops when there is more than anybody looks through', async () => {
    const { asked, source } = recorder((sql) => {
      const limit = Number(/LIMIT (\d+)/.exec(sql)?.[1]);
      return Array.from({ length: Math.min(60_000, limit) }, (_, i) => [i]);
    });
    expect(await source.search('x', options())).toHaveLength(MAX_FOUND);
    expect(asked).toHaveLength(2);
  });
});
