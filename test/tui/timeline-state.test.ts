import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyAction, KeyPress } from '../../src/tui/keys.ts';
import {
  initialTimeline,
  selectedRow,
  shownCount,
  type TimelineAction,
  type TimelineState,
  timelineReducer,
  visibleRows,
} from '../../src/tui/timeline-state.ts';
import { runs } from '../support/slow.ts';

function press(state: TimelineState, keys: string): TimelineState {
  return [...keys].reduce((now, key) => {
    const named: KeyPress | undefined = { '\r': { return: true }, '\u001b': { escape: true } }[key];
    return timelineReducer(now, { kind: 'pressed', input: named === undefined ? key : '', key: named ?? {} });
  }, state);
}

function pressNamed(state: TimelineState, input: string, key: KeyPress): TimelineState {
  return timelineReducer(state, { kind: 'pressed', input, key });
}

const list = initialTimeline(100, 10);

describe('moving', () => {
  it.each([
    ['j', 1, 0],
    ['jjjjjjjjj', 9, 0],
    ['jjjjjjjjjj', 10, 1],
    ['k', 0, 0],
    ['G', 99, 90],
    ['Gk', 98, 90],
    ['Ggj', 1, 0],
    ['x', 0, 0],
  ])('%j puts the cursor on %i with %i on top', (keys, selected, top) => {
    expect(press(list, keys)).toMatchObject({ selected, top });
  });

  it('by half pages', () => {
    const down = pressNamed(list, 'd', { ctrl: true });
    expect(down.selected).toBe(5);
    expect(pressNamed(down, '', { pageUp: true }).selected).toBe(0);
  });

  it('keeps the cursor on the screen when it shrinks', () => {
    const small = timelineReducer(press(list, 'jjjjjjjjj'), { kind: 'resized', height: 3 });
    expect(small).toMatchObject({ selected: 9, top: 7 });
    expect(visibleRows(small)).toEqual([7, 8, 9]);
  });

  it('fills the screen again when it grows at the end', () => {
    const grown = timelineReducer(press(list, 'G'), { kind: 'resized', height: 40 });
    expect(visibleRows(grown)).toHaveLength(40);
  });

  it('has nowhere to go in an empty case', () => {
    const empty = press(initialTimeline(0, 10), 'jGkg\r');
    expect(selectedRow(empty)).toBeUndefined();
    expect(visibleRows(empty)).toEqual([]);
  });
});

describe('searching', () => {
  const asked = press(list, '/curl\r');

  it('is typed and sent', () => {
    expect(press(list, '/cu').input).toBe('cu');
    expect(asked).toMatchObject({ mode: 'list', searching: 'curl', input: 'curl' });
  });

  it('shows what was found, from where the cursor is', () => {
    const there = timelineReducer(press(asked, 'jjj'), { kind: 'found', needle: 'curl', rows: [1, 5, 90] });
    expect(shownCount(there)).toBe(3);
    expect(selectedRow(there)).toBe(5);
    expect(visibleRows(there)).toEqual([1, 5, 90]);
  });

  it('goes back to everything, with the cursor where it was', () => {
    const there = timelineReducer(asked, { kind: 'found', needle: 'curl', rows: [50, 60] });
    for (const state of [press(there, '\u001b'), press(there, 'q'), press(there, '/\r')]) {
      expect(shownCount(state)).toBe(100);
      expect(selectedRow(state)).toBe(50);
    }
  });

  it('says when there is nothing, and keeps what was shown', () => {
    const none = timelineReducer(asked, { kind: 'found', needle: 'curl', rows: [] });
    expect(none.problem).toContain('curl');
    expect(shownCount(none)).toBe(100);
  });

  it('drops an answer that nobody waits for', () => {
    const stopped = press(asked, '\u001b');
    expect(timelineReducer(stopped, { kind: 'found', needle: 'curl', rows: [1] })).toBe(stopped);
  });

  it('tells what failed until the next key, which asks again', () => {
    const failed = timelineReducer(asked, { kind: 'failed', reason: 'too long' });
    expect(failed).toMatchObject({ problem: 'too long', searching: undefined, attempt: asked.attempt });
    expect(press(failed, 'j')).toMatchObject({ problem: undefined, attempt: asked.attempt + 1 });
    const none = timelineReducer(asked, { kind: 'found', needle: 'curl', rows: [] });
    expect(press(none, 'j')).toMatchObject({ problem: undefined, attempt: asked.attempt });
  });

  it('goes from one line that was found to the next, among those found and among all', () => {
    const there = timelineReducer(asked, { kind: 'found', needle: 'curl', rows: [10, 20, 90] });
    expect(selectedRow(press(there, 'n'))).toBe(20);
    expect(selectedRow(press(there, 'nnN'))).toBe(20);
    const among = press(there, 'n\u001bjj');
    expect([selectedRow(among), shownCount(among)]).toEqual([22, 100]);
    expect(selectedRow(press(among, 'n'))).toBe(90);
    expect(selectedRow(press(among, 'N'))).toBe(20);
    expect(press(among, 'nn').problem).toBe('no line after this one has "curl"; N goes back');
    expect(press(among, 'NNN').problem).toContain('before');
    expect(selectedRow(press(among, 'nn'))).toBe(90);
    expect(press(list, 'n').problem).toContain('nothing was searched for');
    expect(press(press(among, '/\r'), 'n').problem).toContain('nothing was searched for');
  });

  it('takes letters that are commands elsewhere', () => {
    expect(press(list, '/qgGjk?').input).toBe('qgGjk?');
    expect(pressNamed(press(list, '/a\u{1f600}'), '', { backspace: true }).input).toBe('a');
  });

  it('takes what comes at once, key by key', () => {
    expect(pressNamed(list, 'jj/curl\rG', {})).toMatchObject({ mode: 'list', searching: 'curl', selected: 99 });
    expect(pressNamed(list, '?jq/a\nb', {})).toMatchObject({ mode: 'list', searching: 'a' });
  });
});

describe('the detail', () => {
  const open = timelineReducer(press(list, '\r'), { kind: 'measured', hidden: 2 });

  it('is scrolled to its ends and no further, and starts again on another line', () => {
    expect(press(open, 'JJJJJ').detailTop).toBe(2);
    expect(press(open, 'JJJKKKK').detailTop).toBe(0);
    expect(press(open, 'JJj').detailTop).toBe(0);
    expect(timelineReducer(press(open, 'JJ'), { kind: 'measured', hidden: 1 }).detailTop).toBe(1);
  });

  it('is not there without a line', () => {
    expect(press(initialTimeline(0, 10), '\r').showsDetail).toBe(false);
  });
});

describe('leaving', () => {
  it.each(['?', '\r', '/'])('after %j, back goes to the list first', (key) => {
    expect(press(list, `${key}\u001b`)).toMatchObject({ mode: 'list', showsDetail: false, leaving: undefined });
  });

  it('is by q or Ctrl-C, and not by an Esc too many', () => {
    expect(press(list, 'q').leaving).toBe('quit');
    expect(press(list, '\u001b\u001b')).toEqual(list);
    for (const state of [list, press(list, '/a')]) {
      expect(pressNamed(state, 'c', { ctrl: true }).leaving).toBe('interrupted');
    }
  });
});

describe('whatever is pressed', () => {
  it('the cursor is on a line that is there and on the screen', () => {
    const action: fc.Arbitrary<TimelineAction> = fc.oneof(
      fc
        .constantFrom<KeyAction['kind']>(
          'first',
          'last',
          'detail',
          'search',
          'help',
          'back',
          'escape',
          'submit',
          'erase',
        )
        .map((kind) => ({ kind }) as KeyAction),
      fc.integer({ min: -30, max: 30 }).map((by) => ({ kind: 'move', by }) as const),
      fc.integer({ min: -3, max: 3 }).map((by) => ({ kind: 'page', by }) as const),
      fc.constantFrom<1 | -1>(1, -1).map((by) => ({ kind: 'match', by }) as const),
      fc.integer({ min: -1, max: 50 }).map((height) => ({ kind: 'resized', height }) as const),
      fc.constantFrom('a', 'b').map((text) => ({ kind: 'type', text }) as const),
      fc.record({
        kind: fc.constant('found' as const),
        needle: fc.constantFrom('a', 'b'),
        rows: fc.uniqueArray(fc.integer({ min: 0, max: 99 })).map((rows) => rows.sort((x, y) => x - y)),
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.array(action, { maxLength: 40 }), (total, actions) => {
        const state = actions.reduce(timelineReducer, initialTimeline(total, 10));
        const visible = visibleRows(state);
        const selected = selectedRow(state);
        expect(visible.length).toBeLessThanOrEqual(state.height);
        if (shownCount(state) > 0) expect(visible).toContain(selected);
        else expect(selected).toBeUndefined();
      }),
      { numRuns: runs(300, 30_000) },
    );
  });
});
