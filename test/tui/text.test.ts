import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimelineRow } from '../../src/forensics/case/timeline.ts';
import { cellWidth, cutCells, fitCells, tailCells, wrapCells } from '../../src/tui/cells.ts';
import { detailLines } from '../../src/tui/detail.ts';
import { layoutOf } from '../../src/tui/layout.ts';
import { statusOf } from '../../src/tui/status.ts';
import { createTheme } from '../../src/tui/theme.ts';
import { MAX_FOUND } from '../../src/tui/timeline-source.ts';
import { initialTimeline, type TimelineState } from '../../src/tui/timeline-state.ts';
import { type CaseView, plainRow, rowCells } from '../../src/tui/view.ts';
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
    ['\u{20000}b', 4, '\u{20000}b '],
    ['\u{1f1e9}\u{1f1ea}', 18, '\\u{1f1e9}\\u{1f1ea}'],
    ['\u{1f44d}\u{1f3fd}', 11, '\u{1f44d}\\u{1f3fd}'],
    ['\u2764\ufe0f', 9, '\u2764\\u{fe0f}'],
  ])('%j in %i columns is %j', (text, width, expected) => {
    expect(fitCells(text, width)).toBe(expected);
  });

  it('has the width that ink takes it to have, letter by letter', () => {
    const ink = createRequire(createRequire(import.meta.url).resolve('ink'));
    const { default: inkWidth } = ink('string-width') as { default: (text: string) => number };
    const differs = (code: number) => {
      const letter = String.fromCodePoint(code);
      const isShown = !/[\p{Cn}\p{Co}]/u.test(letter) && fitCells(letter, 2).startsWith(letter);
      return isShown && cellWidth(letter) !== inkWidth(letter);
    };
    const codes = Array.from({ length: 0x3_1000 }, (_, code) => code).filter(differs);
    // On their letter, where they always are, both say 0: marks in wide scripts, vowels and tails of a Hangul syllable.
    const joining = /[\u302e\u302f\u1160-\u11ff\ud7b0-\ud7fb\u{16ff0}\u{16ff1}]/u;
    expect(codes.filter((code) => !joining.test(String.fromCodePoint(code)))).toEqual([]);
  });

  it('grows over no other line, however many marks are piled on a letter', () => {
    const piled = fitCells(`e${'\u0301'.repeat(100)}`, 60);
    expect(piled.match(/\u0301/g)).toHaveLength(4);
    expect(piled).toContain('\\u{301}');
  });

  it('is cut without padding, and at its front while it is typed', () => {
    expect([cutCells('abc', 5), cutCells('abcdef', 4)]).toEqual(['abc', 'abc…']);
    expect([tailCells('abcdef', 3), tailCells('ab', 3), tailCells('a日本', 3)]).toEqual(['def', 'ab', '本']);
  });

  it('is wrapped without losing anything', () => {
    expect(wrapCells('abcdefg', 3)).toEqual(['abc', 'def', 'g']);
    expect(wrapCells('', 3)).toEqual(['']);
  });
});

describe('the layout', () => {
  it('never draws on the last line, at any size, and has a line for the status', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 0, max: 120 }),
        fc.boolean(),
        (columns, rows, shows) => {
          const { isWide, list, detail, body, hasTitle, hasHints, ...layout } = layoutOf(columns, rows, shows);
          expect(layout.rows).toBeLessThanOrEqual(Math.max(1, rows - 1));
          expect(body.rows + 1 + Number(hasTitle) + Number(hasHints)).toBe(layout.rows);
          const drawer = isWide || detail.rows === 0 ? 0 : detail.rows + 1;
          expect(list.rows + drawer).toBe(body.rows);
          expect(list.rows).toBeGreaterThanOrEqual(Math.min(1, body.rows));
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

describe('the status', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const view = (name: string, verdict: 'trusted' | 'refused' = 'trusted'): CaseView => {
    return { name: 'demo', packages: new Map([[digest, { name, verdict }]]), fence: 'gate only' };
  };
  const list = initialTimeline(13, 10);
  const theme = createTheme({ unicode: true });
  const told = (of: CaseView, state: TimelineState, inPackage: string | undefined, columns = 80) => {
    const { verdict, rest } = statusOf(of, state, inPackage, columns, theme);
    return verdict + rest;
  };

  it('tells verdict, package, mask, place and fence', () => {
    expect(told(view('p-1'), list, digest)).toMatch(
      /^✓ trusted │ p-1 │ masked │ line 1, 13 \/ 13 shown │ gate only +$/,
    );
    expect(told(view('p-1', 'refused'), list, digest)).toMatch(/^✗ refused │ p-1 /);
  });

  it('says nothing of a line that is not here yet, and warns of one that came in nothing known', () => {
    expect(told(view('p-1'), list, undefined)).toMatch(/^… │ demo │ masked/);
    expect(told(view('p-1'), list, 'sha256:other')).toMatch(/^✗ unknown package │ demo │ masked/);
    expect(told(view('p-1'), initialTimeline(0, 10), undefined)).toMatch(/^no line │ demo │ masked │ line 0, 0 \/ 0/);
    expect(told({ ...view('p-1'), packages: new Map() }, list, undefined)).toMatch(/^no package │/);
  });

  it('says when more was found than is shown', () => {
    const found = Array.from({ length: MAX_FOUND }, (_, i) => i);
    expect(told(view('p'), { ...list, total: 10 ** 7, found, needle: 'x' }, digest, 100)).toContain(
      'first 100000 / 10000000 shown │ /x',
    );
  });

  it('has room for what matters, whatever the package is called', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 70, max: 200 }), (name, columns) => {
        const line = told(view(name), { ...list, total: 10 ** 7 }, digest, columns);
        expect(line).toMatch(/^✓ trusted │ .* │ masked │ line 1, 10000000 \/ 10000000 shown[ …]/);
        expect(cellWidth(line)).toBe(columns);
      }),
      { numRuns: runs(300, 30_000) },
    );
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

  it('stays one line as plain text, whatever is in a name', () => {
    const forged = 'x\r\n2027-01-01T00:00:00.000Z  h  alert.raised  none';
    expect(plainRow({ ...row, summary: forged, host: 'h\n' })).not.toMatch(CONTROLS);
  });

  it('shows what is empty, and tells long names of fields apart', () => {
    const name = 'x'.repeat(40);
    const text = JSON.stringify({ data: { none: [], nothing: {}, [`${name}1`]: 1 } });
    const lines = detailLines({ text, leaf: 'l', anchored: true }, 60);
    expect(lines.slice(0, 3)).toEqual(['none                  []', 'nothing               {}', `${'x'.repeat(20)}… 1`]);
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
