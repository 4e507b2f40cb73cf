import { describe, expect, it } from 'vitest';
import { HitNames } from '../../src/agent/detect/dedup.ts';
import { readsSecrets, shownRow } from '../../src/agent/detect/shown.ts';
import type { Rule } from '../../src/rules/rule.ts';
import type { Answer } from '../../src/sandbox/protocol.ts';

const NAME = { table: 'new_processes', column: 'process_name' };
const answer = (changes: Partial<Answer> = {}): Answer => ({
  columns: ['name', 'piece', 'n'],
  origins: [NAME, null, null],
  rows: [],
  reads: { new_processes: ['process_command_line', 'process_name'] },
  ...changes,
});
const stored = (table: string, column: string, value: string | number) =>
  table === NAME.table && column === NAME.column && value === 'sh';

describe('what a question read', () => {
  it.each([
    [{ new_processes: ['process_command_line'] }, true],
    [{ processes: ['process_parent_command_line'] }, true],
    [{ new_process_creation: ['CommandLine'] }, true],
    [{ process_creation: ['Image', 'ParentCommandLine'] }, true],
    [{ new_processes: ['process_name', 'argv_mask'] }, false],
    [{ process_creation: ['Image'] }, false],
    [{ new_processes: [] }, false],
    [{}, false],
  ])('%o: secrets %s', (reads, expected) => {
    expect(readsSecrets(reads)).toBe(expected);
  });
});

describe('what of a hit is shown', () => {
  it('is all of it when no secret was read', () => {
    expect(shownRow(answer(), ['x', 'y', 1], false, () => false)).toEqual({ name: 'x', piece: 'y', n: 1 });
  });

  it('is else only what the masked store has in the very same column', () => {
    expect(shownRow(answer(), ['sh', 'sh', 1], true, stored)).toEqual({ name: 'sh' });
    expect(shownRow(answer(), ['secret', 'sh', 1], true, stored)).toEqual({});
    expect(shownRow(answer(), [null, null, 0], true, stored)).toEqual({ name: null, piece: null });
  });
});

describe('the key of a hit', () => {
  const names = new HitNames(new Uint8Array(32));
  const rule = (key: string[]) => ({ dedup: { key, windowMs: 1 } }) as unknown as Rule;
  const key = (columns: string[], row: (string | number | null)[], shown: object, salt = names) =>
    salt.keyOf(rule(columns), answer(), row, shown as never);

  it('can be read when it may be shown, and two values never make one', () => {
    expect(key(['name', 'n'], ['a|b', 'x', 1], { name: 'a|b', n: 1 })).toBe('a%7Cb|1');
    expect(key(['name'], [null, 'x', 1], { name: null })).toBe('');
  });

  it('is else a keyed hash: nobody can try secrets against it', () => {
    const hidden = key(['name'], ['secret', 'x', 1], {});
    expect(hidden).toMatch(/^[0-9a-f]{64}$/);
    expect(hidden).toBe(key(['name'], ['secret', 'y', 2], {}));
    expect(hidden).not.toBe(key(['name'], ['other', 'x', 1], {}));
    expect(hidden).not.toBe(key(['name'], ['secret', 'x', 1], {}, new HitNames()));
    expect(key(['name'], ['x'.repeat(2000), 'x', 1], { name: 'x'.repeat(2000) })).toMatch(/^[0-9a-f]{64}$/);
  });
});
