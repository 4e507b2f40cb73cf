import { once } from 'node:events';
import { openSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { daemoneye, ensureBuilt, expectError, finished, jsonOf, start } from '../support/cli.ts';
import { tempDirectory } from '../support/temp.ts';

beforeAll(ensureBuilt);

describe('--json', () => {
  it('prints one document that its schema knows', async () => {
    jsonOf(await daemoneye(['version', '--json']), 'version');
    const { script } = jsonOf<{ script: string }>(await daemoneye(['completions', 'bash', '--json']), 'completions');
    expect(`${script}\n`).toBe((await daemoneye(['completions', 'bash'])).stdout);
  });

  it('makes an error the document, and keeps the exit code', async () => {
    const ran = await daemoneye(['keys', 'show', '/nowhere/x', '--json']);
    expect([ran.code, ran.stderr]).toEqual([1, '']);
    expect(jsonOf(ran, 'error')).toEqual({
      error: { code: 'FILE_NOT_FOUND', message: expect.stringContaining('/nowhere/x') },
    });
  });

  it('tells what led to it with --verbose', async () => {
    const ran = await daemoneye(['keys', 'show', '/nowhere/x', '--json', '--verbose']);
    const { error } = jsonOf<{ error: { causes: string[] } }>(ran, 'error');
    expect(error.causes).toEqual([expect.stringContaining('ENOENT')]);
  });

  it('writes names that could act on a terminal as escapes that mean the same', async () => {
    const name = 'a\u202eb\x9bc';
    const { stdout } = await daemoneye(['keys', 'show', name, '--json']);
    expect(stdout).toMatch(/^[\x20-\x7e\n]+$/);
    expect(stdout).not.toContain('\u202e');
  });
});

describe('an error', () => {
  it('is one line on standard error, with its code', async () => {
    expectError(await daemoneye(['keys', 'show', '/nowhere/x']), 'FILE_NOT_FOUND', 1);
    expectError(await daemoneye(['keys', 'show', '/']), 'FILE_IS_DIRECTORY', 1);
    expectError(await daemoneye(['keys', 'show', '/dev/zero']), 'FILE_TOO_LARGE', 1);
  });

  it('tells what led to it with --verbose, on lines of its own', async () => {
    const { stderr } = await daemoneye(['keys', 'show', '/nowhere/x', '--verbose']);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^daemoneye: .*\[FILE_NOT_FOUND\]$/),
      expect.stringMatching(/^ {2}because: ENOENT/),
      '',
    ]);
  });
});

describe('without a terminal', () => {
  it('there is no colour and no cursor movement', async () => {
    for (const args of [['--help'], ['keys', 'show', '--help'], ['keys', 'show', '/nowhere/x']]) {
      const { stdout, stderr } = await daemoneye(args, { env: { COLORTERM: 'truecolor' } });
      expect(stdout + stderr).not.toContain('\x1b');
    }
  });
});

describe('standard output', () => {
  it('may be closed by a reader that has enough: no complaint, no failure', async () => {
    for (const args of [['--help'], ['version', '--json']]) {
      const child = start(args, {}, { stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout?.destroy();
      const stderr: string[] = [];
      child.stderr?.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
      expect({ args, code, signal, stderr }).toEqual({ args, code: 0, signal: null, stderr: [] });
    }
  });

  it('keeps the verdict when the reader went away', async () => {
    const child = start(['keys', 'show', '/nowhere/x', '--json'], {}, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout?.destroy();
    expect((await once(child, 'close'))[0]).toBe(1);
  });

  it.skipIf(process.platform !== 'linux')('that takes nothing is a failure: the result is lost', async () => {
    for (const args of [['--help'], ['version', '--json'], ['--version']]) {
      const child = start(args, {}, { stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'] });
      const { code, stderr } = await finished(child);
      expect([code, stderr], `${args}`).toEqual([1, expect.stringMatching(/\[OUTPUT_FAILED\]\n$/)]);
    }
  });

  it('closed from the start is no crash', async () => {
    const ran = await daemoneye(['-c', '"$0" version --json >&- 2>&-; echo $?', 'daemoneye'], { command: 'sh' });
    expect(ran.stdout).toMatch(/^\d+\n$/);
  });
});

describe('the data directory', () => {
  it('is accepted before and after the words of a command', async () => {
    const data = tempDirectory();
    for (const args of [
      ['--data', data, 'version'],
      ['version', '--data', data],
      [`--data=${data}`, 'version'],
    ]) {
      expect(await daemoneye(args)).toMatchObject({ code: 0, stderr: '' });
    }
  });
});
