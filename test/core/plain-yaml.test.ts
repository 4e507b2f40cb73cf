import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { parsePlainYaml } from '../../src/core/plain-yaml.ts';
import { expectCode } from '../support/expect-code.ts';

const LIMITS = { maxBytes: 256 * 1024, maxDepth: 16, maxMembers: 10_000 };
const parseBytes = (bytes: Uint8Array) => parsePlainYaml(bytes, LIMITS);
const parse = (text: string) => parseBytes(utf8(text));

describe('plain YAML', () => {
  it('is the core schema of YAML 1.2', () => {
    expect(
      parse(
        'a: yes\nb: 010\nc: 0o10\nd: 1_000\ne: ~\nf: true\ng: 2001-01-01\nh: >-\n  x\n  y\ni: [1, {j: "\\u0041"}]\n',
      ),
    ).toEqual({
      a: 'yes',
      b: 10,
      c: 8,
      d: '1_000',
      e: null,
      f: true,
      g: '2001-01-01',
      h: 'x y',
      i: [1, { j: 'A' }],
    });
  });

  it('keeps what only looks like an anchor, alias or tag', () => {
    const text = 'a: "&x *y !!z"\nb: |\n  *.log & !important\n  %YAML 9\nc: \'*\'\nd: a*b & c!d\n';
    expect(parse(text)).toEqual({ a: '&x *y !!z', b: '*.log & !important\n%YAML 9\n', c: '*', d: 'a*b & c!d' });
  });

  const bomb = Array.from({ length: 30 }, (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `*a${i - 1}, *a${i - 1}`}]`).join(
    '\n',
  );
  it.each([
    ['an alias bomb', bomb],
    ['an anchor', 'a: &x 1'],
    ['an alias', 'a: *x'],
    ['an anchor on a block', 'a: &x\n  b: 1'],
    ['an alias as a key', '*x : 1'],
    ['a tag of its own', 'a: !evil 1'],
    ['a tag of JavaScript', 'a: !!js/function "x"'],
    ['a known tag', 'a: !!binary aGk='],
    ['a string tag', 'a: !!str 1'],
    ['a verbatim tag', 'a: !<tag:yaml.org,2002:str> 1'],
    ['a tag on the document', '--- !x\na: 1'],
    ['a directive', '%TAG ! tag:evil,2000:\n---\na: 1'],
    ['YAML 1.1', '%YAML 1.1\n---\na: yes'],
    ['a key twice', 'a: 1\na: 2'],
    ['a key twice, one quoted', 'a: 1\n"a": 2'],
    ['a key twice, deep down', 'x: [{a: 1, a: 2}]'],
    ['a key that is a list', '? [a, b]\n: 1'],
    ['two documents', 'a: 1\n---\na: 2'],
    ['tabs for indentation', 'a:\n\tb: 1'],
    ['a broken flow', 'a: [1, 2'],
    ['deep flow', `a: ${'['.repeat(1000)}${']'.repeat(1000)}`],
    ['very deep flow', '['.repeat(200_000)],
    ['deep blocks', '- '.repeat(60_000)],
    ['deep maps', Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
    ['a minute of comparing keys', Array.from({ length: 30_000 }, (_, i) => `k${i}: `).join('\n')],
    ['a list of commas', `[${','.repeat(200_000)}]`],
    ['question marks', '? '.repeat(100_000)],
    ['a NUL', 'a: x\0y'],
    ['an escape character', 'a: \u001b[31mred'],
    ['text that reads backwards', 'a: x \u202e y'],
    ['invisible letters', 'a: x\u200by'],
    ['a byte order mark', '\ufeffa: 1'],
  ])('refuses %s', (_, text) => expectCode(() => parse(text), 'YAML_MALFORMED'));

  it('refuses what is not text, and too much of it', () => {
    expectCode(() => parseBytes(new Uint8Array([0x61, 0x3a, 0x20, 0xff])), 'YAML_MALFORMED');
    expectCode(() => parseBytes(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 1])), 'YAML_MALFORMED');
    expectCode(() => parseBytes(new Uint8Array(256 * 1024 + 1).fill(0x23)), 'YAML_TOO_LARGE');
  });

  it('does not let a key reach the prototype', () => {
    const value = parse('__proto__: {polluted: true}') as object;
    expect(Object.hasOwn(value, '__proto__')).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
