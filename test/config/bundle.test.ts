import { describe, expect, it } from 'vitest';
import { settingsOfBundle } from '../../src/config/bundle.ts';
import { utf8 } from '../../src/core/bytes.ts';
import { expectCode } from '../support/expect-code.ts';

const SETTINGS = 'agent:\n  interval_ms: 500\nretention: {store_days: 7}\n';
const config = (text: string) => ({ 'config.yaml': text });
const read = (files: Readonly<Record<string, string>>) =>
  settingsOfBundle(Object.entries(files).map(([path, text]) => ({ path, bytes: utf8(text) })));

describe('the file of a bundle of kind config', () => {
  it('holds settings', () => {
    expect(read(config(SETTINGS))).toEqual({ 'agent.interval_ms': 500, 'retention.store_days': 7 });
    expect(({} as { agent?: unknown }).agent).toBeUndefined();
  });

  const bomb = Array.from({ length: 20 }, (_, i) => `a${i}: &a${i} [${i === 0 ? 'x' : `*a${i - 1}, *a${i - 1}`}]`);
  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['an unknown setting', config('agent: {interval_ms: 500, exec: /bin/sh}'), 'CONFIG_SCHEMA'],
    ['an unknown section', config('shell: true'), 'CONFIG_SCHEMA'],
    ['__proto__', config('__proto__: {agent: {interval_ms: 500}}'), 'CONFIG_SCHEMA'],
    ['__proto__ inside a section', config('agent:\n  __proto__: {interval_ms: 500}'), 'CONFIG_SCHEMA'],
    ['constructor', config('constructor: {prototype: {x: 1}}'), 'CONFIG_SCHEMA'],
    ['a value out of range', config('agent: {interval_ms: 1}'), 'CONFIG_SCHEMA'],
    ['a number in words', config('agent: {interval_ms: "500"}'), 'CONFIG_SCHEMA'],
    ['a sink with a password', config('sinks: [{name: x, url: "https://u:p@h/"}]'), 'CONFIG_SCHEMA'],
    ['a sink that runs a program', config('sinks: [{name: x, url: "exec:///bin/sh"}]'), 'CONFIG_SCHEMA'],
    [
      'two sinks of one name',
      config('sinks: [{name: x, url: "https://a"}, {name: x, url: "https://b"}]'),
      'CONFIG_SCHEMA',
    ],
    ['a list of settings', config('- agent'), 'CONFIG_SCHEMA'],
    ['an alias bomb', config(bomb.join('\n')), 'CONFIG_YAML'],
    ['an anchor', config('agent: &a {interval_ms: 500}'), 'CONFIG_YAML'],
    ['a merge key with an alias', config('x: &x {a: 1}\nagent:\n  <<: *x'), 'CONFIG_YAML'],
    ['a duplicate key', config('agent: {interval_ms: 500}\nagent: {interval_ms: 10}'), 'CONFIG_YAML'],
    ['a tag', config('agent: !!js/function "x"'), 'CONFIG_YAML'],
    ['two documents', config('agent: {interval_ms: 500}\n---\nagent: {}'), 'CONFIG_YAML'],
    ['text that reads backwards', config('audience: ["a\u202eb"]'), 'CONFIG_YAML'],
    ['too much', config(`# ${'x'.repeat(70_000)}\n${SETTINGS}`), 'CONFIG_TOO_LARGE'],
    ['nothing but comments', config('# nothing\n'), 'CONFIG_EMPTY'],
    ['a second file', { ...config(SETTINGS), 'more.yaml': SETTINGS }, 'CONFIG_FILES'],
    ['another name', { 'Config.yaml': SETTINGS }, 'CONFIG_FILES'],
    ['no file', {}, 'CONFIG_FILES'],
  ])('is refused with %s', (_, files, code) => expectCode(() => read(files), code));
});
