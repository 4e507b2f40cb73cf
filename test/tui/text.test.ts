import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimelineRow } from '../../src/forensics/case/timeline.ts';
import { cellWidth, fitCells, wrapCells } from '../../src/tui/cells.ts';
import { detailLines } from '../../src/tui/detail.ts';
import { layoutOf } from '../../src/tui/layout.ts';
import { plainRow, rowCells } from '../../src/tui/view.ts';
import { runs } from '../support/slow.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/;

describe('text on the screen', () => {
  it('takes exactly the columns it is given, and moves nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 60 }), (text, width) => {
        const fitted = fitCells(text, width);
        expect(cellWidth(fitted)).toBe(width);
        expect(fitted).not.toMatch(CONTROLS);
      }),
      { numRuns: runs(500, 50_000) },
    );
  });

  it.each([
    ['abc', 5, 'abc  '],
    ['abcdef', 4, 'abc…'],
    ['日本語', 6, '日本語'],
    ['日本語', 5, '日本…'],
    ['a\u001b[2J', 9, 'a\\x1b[2J '],
  ])('%j in %i columns is %j', (text, width, expected) => {
    expect(fitCells(text, width)).toBe(expected);
  });

  it('is wrapped without losing anything', () => {
    expect(wrapCells('abcdefg', 3)).toEqual(['abc', 'def', 'g']);
    expect(wrapCells('', 3)).toEqual(['']);
  });
});

describe('the layout', () => {
  it('never draws on the last line, at any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 7, max: 120 }),
        fc.boolean(),
        (columns, rows, shows) => {
          const { isWide, list, detail, ...layout } = layoutOf(columns, rows, shows);
          expect(layout.rows).toBeLessThanOrEqual(rows - 1);
          const drawer = isWide || !shows ? 0 : detail.rows + 1;
          expect(list.rows + drawer + 3).toBe(layout.rows);
          if (isWide) expect(list.columns + detail.columns + 3).toBeLessThanOrEqual(layout.columns);
        },
      ),
      { numRuns: runs(300, 30_000) },
    );
  });

  it('shows list and detail beside each other from 120 columns', () => {
    expect(layoutOf(119, 40, false)).toMatchObject({ isWide: false, detail: { rows: 0 } });
    expect(layoutOf(120, 40, false)).toMatchObject({ isWide: true, detail: { rows: 36 } });
  });
});

describe('a line', () => {
  const row: TimelineRow = {
    row: 0,
    ts: 0,
    host: 'h',
    type: 'process.exec',
    origin: 'o',
    seq: 0,
    package: 'p',
    signed: true,
    summary: 'x\u001b]0;title\u0007',
  };

  it.each([20, 40, 80, 120, 200])('fits in %i columns', (columns) => {
    const { moment, type, host, summary } = rowCells(row, columns, '▸', '…');
    const text = moment + type + host + summary;
    expect(text).not.toMatch(CONTROLS);
    expect(cellWidth(text)).toBe(Math.max(columns, cellWidth(moment + type + host)));
  });

  it('is plain text where there is no screen', () => {
    expect(plainRow({ ...row, summary: 'sh [1]' })).toBe('1970-01-01T00:00:00.000Z  h  process.exec  sh [1]');
  });

  it('is shown in full, data first, escaped, in the width there is', () => {
    const text = JSON.stringify({ data: { process_name: 'a\u202eb', nested: { list: [1, 2] } }, seq: 3, ts: 0 });
    for (const width of [30, 60]) {
      const lines = detailLines({ text, leaf: `blake3:${'ab'.repeat(32)}`, anchored: false }, width);
      expect(lines[0]).toMatch(/^process_name/);
      for (const line of lines) {
        expect(cellWidth(line)).toBeLessThanOrEqual(width);
        expect(line).not.toMatch(CONTROLS);
      }
    }
    expect(detailLines({ text, leaf: 'l', anchored: true }, 60).join('\n')).toContain('0 (1970-01-01T00:00:00.000Z)');
  });
});
