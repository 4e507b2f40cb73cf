import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diffLines, type LineChange } from '../../src/core/line-diff.ts';
import { runs } from '../support/slow.ts';

const told = (changes: readonly LineChange[]) =>
  changes.map((change) => {
    if (change.kind === 'skipped') return `@${change.lines}`;
    return { same: ' ', added: '+', removed: '-' }[change.kind] + change.text;
  });

describe('a comparison of lines', () => {
  it('shows what changed, with two lines around it', () => {
    const lines = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
    const changed = ['a', 'b', 'c', 'd', 'E', 'f', 'g', 'h', 'i', 'j'];
    expect(told(diffLines(lines.join('\n'), changed.join('\n')))).toEqual([
      '@2',
      ' c',
      ' d',
      '-e',
      '+E',
      ' f',
      ' g',
      ' h',
      ' i',
      '+j',
    ]);
  });

  it('of equal texts is empty, and of one line all there is', () => {
    expect(diffLines('a\nb', 'a\nb')).toEqual([]);
    expect(told(diffLines('', 'a'))).toEqual(['+a']);
    expect(told(diffLines('a', ''))).toEqual(['-a']);
    expect(told(diffLines('a', 'b'))).toEqual(['-a', '+b']);
  });

  it('takes and gives exactly the lines of both texts, and no more than it must', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 12 });
    fc.assert(
      fc.property(text, text, (before, after) => {
        const [old, now] = [before, after].map((lines) => lines.map((line) => `${line}\n`).join(''));
        const changes = diffLines(old ?? '', now ?? '');
        const without = (kind: string) =>
          changes.flatMap((change) => (change.kind === 'skipped' || change.kind === kind ? [] : [change.text]));
        const skipped = changes.reduce((sum, change) => sum + (change.kind === 'skipped' ? change.lines : 0), 0);
        if (old === now) {
          expect(changes).toEqual([]);
          return;
        }
        expect(without('added').length + skipped).toBe(before.length);
        expect(without('removed').length + skipped).toBe(after.length);
        if (skipped === 0) {
          expect(without('added')).toEqual(before);
          expect(without('removed')).toEqual(after);
        }
        const edits = changes.filter(({ kind }) => kind === 'added' || kind === 'removed').length;
        expect(edits).toBe(before.length + after.length - 2 * longestCommon(before, after));
      }),
      { numRuns: runs(300, 20_000) },
    );
  });

  it('gives up on texts that have nothing in common, without the square of their size', () => {
    const lines = (name: string) => Array.from({ length: 20_000 }, (_, i) => `${name}${i}`);
    const changes = diffLines(lines('a').join('\n'), lines('b').join('\n'));
    expect(changes.map(({ kind }) => kind).filter((kind) => kind === 'removed')).toHaveLength(20_000);
    expect(changes).toHaveLength(40_000);
  });
});

/** The textbook's table. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const one of a) {
    const next = [0];
    for (const [j, other] of b.entries()) {
      next.push(one === other ? (row[j] ?? 0) + 1 : Math.max(row[j + 1] ?? 0, next[j] ?? 0));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
