import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completionScript, SHELLS } from '../../src/cli/completions.ts';
import { LineBuffer } from '../../src/cli/prompt-io.ts';
import { resolveCommand } from '../../src/cli/resolve.ts';
import { didYouMean, editDistance, suggest } from '../../src/cli/suggest.ts';
import { hasTool } from '../support/cli.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const NAMES = ['keys generate', 'keys show', 'bundle verify', 'bundle build', 'version'];

describe('which command', () => {
  it.each([
    ['keys show f', 'keys show'],
    ['--json keys show f', 'keys show'],
    ['--data keys keys show f', 'keys show'],
    ['--data=keys keys show f', 'keys show'],
    ['keys --json show f', 'keys show'],
    ['version', 'version'],
    ['version keys', 'version'],
    ['--version', 'version'],
    ['--json --version', 'version'],
  ])('"%s" is %s', (line, name) => {
    expect(resolveCommand(line.split(' '), NAMES)).toMatchObject({ kind: 'command', name });
  });

  it.each([
    ['', {}],
    ['--help', {}],
    ['help', {}],
    ['-h', {}],
    ['keys --help', { noun: 'keys' }],
    ['help keys', { noun: 'keys' }],
    ['keys show --help', { name: 'keys show' }],
    ['keys show f -h', { name: 'keys show' }],
    ['help keys show', { name: 'keys show' }],
  ])('"%s" asks for help', (line, about) => {
    const help = resolveCommand(line === '' ? [] : line.split(' '), NAMES);
    expect(help).toEqual({ kind: 'help', ...about });
  });

  it.each(['keys', 'key show', 'keys sho', 'verify', 'toString', '__proto__', 'constructor', ' ', 'keys  show'])(
    '"%s" is none',
    (line) => expectCode(() => resolveCommand(line.split(' '), NAMES), 'USAGE_COMMAND'),
  );

  it('takes nothing after -- for a word or an option', () => {
    expect(resolveCommand(['keys', 'show', '--', '--help'], NAMES)).toMatchObject({
      kind: 'command',
      name: 'keys show',
    });
    expectCode(() => resolveCommand(['keys', '--', 'show'], NAMES), 'USAGE_COMMAND');
  });
});

describe('suggestions', () => {
  it('are near, and best first', () => {
    expect(suggest('genrate', ['show', 'generate'])).toEqual(['generate']);
    expect(suggest('gen', ['generate', 'show'])).toEqual(['generate']);
    expect(suggest('VERSION', ['version'])).toEqual(['version']);
    expect(suggest('xyzzy', ['show', 'generate'])).toEqual([]);
    expect(suggest('a'.repeat(100_000), ['a'.repeat(64)])).toEqual([]);
    expect(didYouMean([])).toBe('');
    expect(didYouMean(['a', 'b', 'c'])).toBe('; did you mean "a", "b" or "c"?');
  });

  it('measure a distance: zero to itself, the same both ways, one for a slip', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
    const property = fc.property(word, word, (a, b) => {
      expect(editDistance(a, a)).toBe(0);
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b)).toBeGreaterThanOrEqual(Math.abs(a.length - b.length));
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      if (a !== b) expect(editDistance(a, b)).toBeGreaterThan(0);
    });
    fc.assert(property, { numRuns: runs(300, 20_000) });
    expect(editDistance('show', 'shwo')).toBe(1);
  });
});

describe('a line being typed', () => {
  it.each([
    ['abc\r', 'done', 'abc'],
    ['abc\n', 'done', 'abc'],
    ['abx\x7fc\r', 'done', 'abc'],
    ['x\x7f\x7f\x7fabc\r', 'done', 'abc'],
    ['wrong\x15abc\r', 'done', 'abc'],
    ['a\x1b\x00b\r', 'done', 'ab'],
    ['日\x7f本\r', 'done', '本'],
    ['😀\x7fa\r', 'done', 'a'],
    ['abc\x04\r', 'done', 'abc'],
    ['abc\x03', 'cancelled', 'abc'],
    ['\x04', 'cancelled', ''],
    ['abc', 'more', 'abc'],
  ])('%j: %s', (input, ending, text) => {
    const line = new LineBuffer();
    expect(line.feed(input)).toBe(ending);
    expect(line.text).toBe(text);
  });
});

describe('completion scripts', () => {
  const model = {
    commands: [
      { name: 'keys generate', summary: 'make a pair', options: ['--json', '--out'] },
      { name: 'keys show', summary: 'tell', options: ['--json'] },
      { name: 'version', summary: 'tell', options: ['--json'] },
    ],
  };

  it.each(SHELLS)('for %s know every word and option', (shell) => {
    const script = completionScript(shell, model);
    for (const word of ['keys', 'generate', 'show', 'version', 'json', 'out']) expect(script).toContain(word);
  });

  it.skipIf(!hasTool('bash')).each([
    [
      ['daemoneye', ''],
      ['keys', 'version'],
    ],
    [['daemoneye', 'k'], ['keys']],
    [
      ['daemoneye', 'keys', ''],
      ['generate', 'show'],
    ],
    [['daemoneye', 'keys', 'g'], ['generate']],
    [['daemoneye', 'keys', 'generate', '--o'], ['--out']],
    [['daemoneye', 'keys', 'show', '--'], ['--json']],
    [['daemoneye', 'version', '--'], ['--json']],
    [['daemoneye', 'keys', 'show', 'fi'], []],
  ])('bash completes %j', (words, expected) => {
    const script = [
      completionScript('bash', model),
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`,
      `_daemoneye daemoneye '${words.at(-1)}'`,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ].join('\n');
    const out = execFileSync('bash', ['-c', script], { encoding: 'utf8' });
    expect(out.split('\n').filter((line) => line !== '')).toEqual(expected);
  });
});
