import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseCommand, viewUsage } from '../../src/cli/parse.ts';
import { COMMANDS, NOUNS } from '../../src/cli/registry.ts';
import { loadCommand } from '../../src/cli/run.ts';
import { daemoneye, ensureBuilt, expectError, inside, jsonOf, ROOT } from '../support/cli.ts';

beforeAll(ensureBuilt);

const NAMES = Object.keys(COMMANDS);

describe('a slip of the finger', () => {
  it.each([
    ['keys genrate x', 'USAGE_COMMAND', 'did you mean "keys generate"?'],
    ['kesy show x', 'USAGE_COMMAND', 'did you mean "keys show"?'],
    ['generate x', 'USAGE_COMMAND', 'did you mean "keys generate"?'],
    ['versoin', 'USAGE_COMMAND', 'did you mean "version"?'],
    ['keys', 'USAGE_COMMAND', 'generate, show'],
    ['frobnicate', 'USAGE_COMMAND', 'daemoneye --help'],
    ['--data /x keys shwo', 'USAGE_COMMAND', 'did you mean "keys show"?'],
    ['keys show --jsn x', 'USAGE_OPTION', 'did you mean "--json"?'],
    ['keys show --passphrasefile x y', 'USAGE_OPTION', 'did you mean "--passphrase-file"?'],
    ['keys show x --passphrase-file', 'USAGE_OPTION', '--passphrase-file needs a value'],
    ['keys show x --passphrase-file --verbose', 'USAGE_OPTION', '--passphrase-file=-value'],
    ['keys show --verbose=yes x', 'USAGE_OPTION', '--verbose takes no value'],
    ['keys show -z x', 'USAGE_OPTION', 'no option "-z"'],
    ['keys show --Ünïcode x', 'USAGE_OPTION', 'no option "--Ünïcode"'],
    ['keys show', 'USAGE_ARGUMENT', 'an argument is missing'],
    ['keys show x y', 'USAGE_ARGUMENT', 'no further argument "y"'],
    ['keys generate ../x', 'USAGE_VALUE', '"../x" can\'t name a key'],
    ['completions tcsh', 'USAGE_VALUE', 'bash, zsh, fish, powershell'],
    ['help keys shwo', 'USAGE_COMMAND', 'did you mean "keys show"?'],
  ])('%s', async (line, code, hint) => {
    const ran = await inside(line.split(' '));
    expectError(ran, code, 2);
    expect(ran.stderr).toContain(hint);
  });

  it('is told by the real program in the same words', async () => {
    for (const line of ['keys genrate x', 'keys show --jsn x']) {
      expect(await daemoneye(line.split(' '))).toEqual(await inside(line.split(' ')));
    }
  });

  it('is told as JSON when that was asked for, wherever the option stands', async () => {
    for (const args of [
      ['--json', 'kesy'],
      ['keys', 'show', '--json'],
      ['keys', 'show', 'x', 'y', '--json'],
    ]) {
      const ran = await inside(args);
      expect(jsonOf<{ error: { code: string } }>(ran, 'error').error.code).toMatch(/^USAGE_/);
      expect([ran.code, ran.stderr]).toEqual([2, '']);
    }
  });

  it('shows what was typed without letting it act on the terminal', async () => {
    const { stderr } = await daemoneye(['\x1b]0;owned\x07\u202e\nkeys']);
    expect(stderr).toMatch(/^[\x20-\x7e]+\n$/);
    expect(stderr).toContain('\\x1b]0;owned\\x07\\u{202e}');
  });
});

describe('help', () => {
  it('lists every command in a line, on standard output', async () => {
    const [bare, option, word] = await Promise.all([daemoneye([]), daemoneye(['--help']), daemoneye(['help'])]);
    for (const name of NAMES) expect(option.stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect([bare, word]).toEqual([option, option]);
    expect([option.code, option.stderr]).toEqual([0, '']);
    expect(option.stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  it('of a noun lists its commands and no others', async () => {
    const { stdout, code } = await daemoneye(['keys', '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('keys generate');
    expect(stdout).not.toContain('completions');
  });

  it('loads every command from dist, to learn their options', async () => {
    const { stdout, code } = await daemoneye(['completions', 'bash']);
    expect(code).toBe(0);
    for (const name of NAMES) expect(stdout).toContain(`'${name}'`.replace(/^('[^ ]+)'$/, "$1 '"));
  });
});

describe.each(NAMES)('the command "%s"', (name) => {
  it('answers to its name, describes itself, and names the values of its options', async () => {
    const command = await loadCommand(name);
    expect(command.paths).toEqual([name.split(' ')]);
    expect(command.usage?.description).toMatch(/\.$/);
    if (name.includes(' ')) expect(NOUNS).toHaveProperty(name.split(' ')[0] ?? '');
    for (const { names, takesValue, description } of viewUsage(command).options) {
      expect(description, `${names}`).not.toBe('');
      if (takesValue) expect(description, `${names}`).toMatch(/`[A-Z][A-Z0-9|:.-]*`/);
    }
  });

  it('explains itself: usage, its options and the shared ones, an example', async () => {
    const { stdout, stderr, code } = await inside([...name.split(' '), '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`usage: daemoneye ${name} [options]`);
    for (const option of ['--json', '--verbose', '--no-color', '--data DIR', '-h, --help']) {
      expect(stdout).toContain(`  ${option} `);
    }
    expect(stdout).toMatch(/\nexamples\n {2}# [^\n]+\n {2}[^\n]*daemoneye /);
    expect(stdout.split('\n').filter((line) => line.length > 80 && !line.includes('daemoneye'))).toEqual([]);
  });

  it('gives only examples that it understands', async () => {
    const command = await loadCommand(name);
    for (const [, example] of command.usage?.examples ?? []) {
      for (const line of commandLines(example)) {
        const parse = (): unknown => parseCommand(command, name, line, {} as Parameters<typeof parseCommand>[3]);
        if (line.includes('--version')) continue;
        expect(parse, example).not.toThrow();
      }
    }
  });

  it('has a schema for what it prints with --json', () => {
    const schema = SHARED_SCHEMAS[name] ?? name.replaceAll(' ', '-');
    expect(readdirSync(join(ROOT, 'schemas/cli'))).toContain(`${schema}.schema.json`);
  });
});

/** Commands that print the same document as others. */
const SHARED_SCHEMAS: Readonly<Record<string, string>> = {
  'bundle verify': 'report',
  'release verify': 'report',
  'release conformance verify-bundle': 'report',
  'ledger verify': 'report',
  'ledger check-proof': 'report',
  'ledger witness cosign': 'report',
  'evidence verify': 'report',
};

/** The arguments of each `$0` in an example, up to a pipe, a redirection or the end of a substitution. */
function commandLines(example: string): string[][] {
  return example
    .split('$0 ')
    .slice(1)
    .map((rest) => (/^(?:'[^']*'|"[^"]*"|[^|<>;&)\n])*/.exec(rest)?.[0] ?? '').trim())
    .map((line) => [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? ''));
}
