import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { CliContext } from '../../src/cli/command.ts';
import { defaultDataDirectory } from '../../src/cli/data-directory-io.ts';
import { Interruption } from '../../src/cli/errors.ts';
import { createFilesDurably, readInputFile } from '../../src/cli/files-io.ts';
import { Output } from '../../src/cli/output.ts';
import { askLine, confirm } from '../../src/cli/prompt-io.ts';
import { inside } from '../support/cli.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

type Asking = Pick<CliContext, 'stdin' | 'stderr' | 'signal'>;

/** A person at a terminal who answers every question the same way. */
function person(answer: string, signal = new AbortController().signal): Asking & { asked: () => string } {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  let asked = '';
  const stderr = new Writable({
    write(chunk: Buffer, _, done) {
      asked += chunk.toString();
      if (answer !== '') stdin.write(answer);
      done();
    },
  });
  return { stdin, stderr: Object.assign(stderr, { isTTY: true }), signal, asked: () => asked };
}

describe('a question', () => {
  it.each(['y\n', 'Y\n', 'yes\n', ' yes \r\n'])('is answered yes by %j', async (answer) => {
    const asking = person(answer);
    await confirm(asking, 'Apply it?', false);
    expect(asking.asked()).toBe('Apply it? [y/N] ');
  });

  it.each(['\n', 'n\n', 'no\n', 'yep\n', 'of course\n'])('is answered no by %j', async (answer) => {
    await expectCodeAsync(confirm(person(answer), 'Apply it?', false), 'CONFIRM_DECLINED');
  });

  it('is not asked when it was answered beforehand', async () => {
    const asking = person('n\n');
    await confirm(asking, 'Apply it?', true);
    expect(asking.asked()).toBe('');
  });

  it('needs someone to ask: no terminal is no consent', async () => {
    const [asking, output] = [person('y\n'), new Writable()];
    const input = Readable.from(['y\n']) as unknown as CliContext['stdin'];
    await expectCodeAsync(confirm({ ...asking, stdin: input }, 'Apply it?', false), 'CONFIRM_NEEDED');
    await expectCodeAsync(confirm({ ...asking, stderr: output }, 'Apply it?', false), 'CONFIRM_NEEDED');
  });

  it('ends when the program is asked to end', async () => {
    const controller = new AbortController();
    const answer = askLine(person('', controller.signal), 'Name? ', false);
    controller.abort(new Interruption('SIGTERM'));
    await expectCodeAsync(answer, 'INTERRUPTED');
  });

  it('ends when the input does', async () => {
    const asking = person('');
    const answer = askLine(asking, 'Name? ', false);
    (asking.stdin as PassThrough).end();
    await expectCodeAsync(answer, 'INTERRUPTED');
  });

  it('takes a character that arrives in two pieces', async () => {
    const asking = person('');
    const answer = askLine(asking, 'Name? ', false);
    const bytes = Buffer.from('é\n');
    for (const byte of bytes) (asking.stdin as PassThrough).write(Buffer.of(byte));
    expect(await answer).toBe('é');
  });

  it('shows a name from outside without letting it act', async () => {
    const asking = person('y\n');
    await confirm(asking, 'Apply \x1b[2J?', false);
    expect(asking.asked()).not.toContain('\x1b');
  });
});

describe('a command that was asked to stop', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s exits with %i and leaves nothing', async (name, code) => {
    const directory = tempDirectory();
    const signal = AbortSignal.abort(new Interruption(name));
    const ran = await inside(['keys', 'generate', 'a', '--out', directory], { signal });
    expect([ran.code, ran.stdout]).toEqual([code, '']);
    expect(ran.stderr).toMatch(/\[INTERRUPTED\]\n$/);
    expect(existsSync(join(directory, 'a.key.pem'))).toBe(false);
  });
});

describe('the data directory', () => {
  it('is the one in the environment, else the person’s own', () => {
    expect(defaultDataDirectory({ DAEMONEYE_DATA: '/srv/eye', HOME: '/home/a' })).toBe('/srv/eye');
    expect(defaultDataDirectory({ DAEMONEYE_DATA: 'eye' })).toBe(join(process.cwd(), 'eye'));
    const own = existsSync('/var/lib/daemoneye') ? /^\// : /^\/home\/a\/\.local\/share\/daemoneye$/;
    expect(defaultDataDirectory({ DAEMONEYE_DATA: '', HOME: '/home/a' })).toMatch(own);
  });
});

describe('files named on the command line', () => {
  it('are read whole, up to a limit that is kept to the byte', () => {
    const file = join(tempDirectory(), 'f');
    writeFileSync(file, 'x'.repeat(100_000));
    expect(readInputFile(file).length).toBe(100_000);
    expect(readInputFile(file, { maxBytes: 100_000 }).length).toBe(100_000);
    expectCode(() => readInputFile(file, { maxBytes: 99_999 }), 'FILE_TOO_LARGE');
    expect(readInputFile('/dev/null').length).toBe(0);
    expectCode(() => readInputFile('/dev/zero', { maxBytes: 1000 }), 'FILE_TOO_LARGE');
  });

  it('tell why they can’t be read', () => {
    const directory = tempDirectory();
    const file = join(directory, 'f');
    writeFileSync(file, '');
    expectCode(() => readInputFile(join(directory, 'none')), 'FILE_NOT_FOUND');
    expectCode(() => readInputFile(join(file, 'below')), 'FILE_NOT_FOUND');
    expectCode(() => readInputFile(directory), 'FILE_IS_DIRECTORY');
    expectCode(() => readInputFile(`${file}\0x`), 'FILE_UNREADABLE');
  });

  it('are created all or none', () => {
    const directory = tempDirectory();
    const file = (name: string) => ({ path: join(directory, name), bytes: Buffer.from(name), mode: 0o600 });
    writeFileSync(join(directory, 'c'), 'old');
    expectCode(() => createFilesDurably([file('a'), file('b'), file('c')]), 'FILE_EXISTS');
    expect([existsSync(join(directory, 'a')), existsSync(join(directory, 'b'))]).toEqual([false, false]);
    createFilesDurably([file('a'), file('b')]);
    expect(Buffer.from(readInputFile(join(directory, 'b'))).toString()).toBe('b');
  });
});

describe('output', () => {
  it('takes one result: two would be no JSON document', () => {
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const output = new Output(sink, sink, {}, { json: true, verbose: false, noColour: false });
    output.result({}, '');
    expect(() => output.result({}, '')).toThrow('two results');
  });

  it('streams until the reader has enough, then tells the command', async () => {
    const full = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error('EPIPE: broken pipe, write'), { code: 'EPIPE' }));
      },
    });
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const output = new Output(full, sink, {}, { json: false, verbose: false, noColour: false });
    await expectCodeAsync(output.stream('a line\n'), 'OUTPUT_CLOSED');
    await expectCodeAsync(output.stream('another\n'), 'OUTPUT_CLOSED');
    await output.flush();
  });
});
