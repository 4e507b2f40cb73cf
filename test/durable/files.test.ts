import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DurableError, durableErrorFrom } from '../../src/durable/errors.ts';
import { createDirectoryDurably, renameDurably, syncDirectory, writeFileDurably } from '../../src/durable/files-io.ts';
import { replaceLinkDurably } from '../../src/durable/links-io.ts';
import { expectCode } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const modeOf = (path: string) => statSync(path).mode & 0o777;

describe('writing a file', () => {
  it('writes, replaces, and leaves nothing else behind', () => {
    const directory = tempDirectory();
    const path = join(directory, 'file');
    writeFileDurably(path, bytes('one'));
    writeFileDurably(path, bytes('two'));
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('takes its mode as given, not as the umask would have it', () => {
    const directory = tempDirectory();
    writeFileDurably(join(directory, 'private'), bytes(''));
    writeFileDurably(join(directory, 'open'), bytes(''), { mode: 0o666 });
    expect(modeOf(join(directory, 'private'))).toBe(0o600);
    expect(modeOf(join(directory, 'open'))).toBe(0o666);
  });

  it('takes pieces', () => {
    const path = join(tempDirectory(), 'file');
    writeFileDurably(path, [bytes('a'), new Uint8Array(), bytes('b')]);
    expect(readFileSync(path, 'utf8')).toBe('ab');
  });

  it('failing, leaves the old file and no temporary one', () => {
    const directory = tempDirectory();
    const path = join(directory, 'file');
    writeFileDurably(path, bytes('old'));
    function* pieces() {
      yield bytes('new');
      throw new Error('the source failed');
    }
    expectCode(() => writeFileDurably(path, pieces()), 'IO');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(directory)).toEqual(['file']);
  });

  it('replaces a link, and does not write through it', () => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'target'), 'untouched');
    symlinkSync('target', join(directory, 'file'));
    writeFileDurably(join(directory, 'file'), bytes('new'));
    expect(readFileSync(join(directory, 'target'), 'utf8')).toBe('untouched');
    expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('new');
  });

  it('says what is wrong', () => {
    const directory = tempDirectory();
    expectCode(() => writeFileDurably(join(directory, 'none', 'file'), bytes('')), 'NOT_FOUND');
    mkdirSync(join(directory, 'folder'));
    expectCode(() => writeFileDurably(join(directory, 'folder'), bytes('')), 'IO');
    expect(readdirSync(directory)).toEqual(['folder']);
  });
});

describe('directories', () => {
  it('are made with their parents, private', () => {
    const path = join(tempDirectory(), 'a', 'b', 'c');
    createDirectoryDurably(path);
    createDirectoryDurably(path);
    expect(modeOf(path)).toBe(0o700);
    expect(modeOf(join(path, '..'))).toBe(0o700);
  });

  it('that exist keep their mode; what is no directory is refused', () => {
    const directory = tempDirectory();
    chmodSync(directory, 0o755);
    createDirectoryDurably(directory);
    expect(modeOf(directory)).toBe(0o755);
    writeFileSync(join(directory, 'file'), '');
    expectCode(() => createDirectoryDurably(join(directory, 'file')), 'IO');
    expectCode(() => createDirectoryDurably(join(directory, 'file', 'below')), 'IO');
    symlinkSync('nowhere', join(directory, 'dangling'));
    expectCode(() => createDirectoryDurably(join(directory, 'dangling')), 'IO');
  });

  it('can be synced, if they are there', () => {
    syncDirectory(tempDirectory());
    expectCode(() => syncDirectory(join(tempDirectory(), 'none')), 'NOT_FOUND');
  });
});

it('renames, within a directory and between two', () => {
  const directory = tempDirectory();
  mkdirSync(join(directory, 'other'));
  writeFileSync(join(directory, 'a'), 'content');
  renameDurably(join(directory, 'a'), join(directory, 'b'));
  renameDurably(join(directory, 'b'), join(directory, 'other', 'c'));
  expect(readFileSync(join(directory, 'other', 'c'), 'utf8')).toBe('content');
  expectCode(() => renameDurably(join(directory, 'a'), join(directory, 'b')), 'NOT_FOUND');
});

it('switches a link, whether or not there was one', () => {
  const directory = tempDirectory();
  const link = join(directory, 'active');
  replaceLinkDurably(link, 'one');
  replaceLinkDurably(link, 'two');
  expect(readlinkSync(link)).toBe('two');
  expect(readdirSync(directory)).toEqual(['active']);
  mkdirSync(join(directory, 'folder'));
  expectCode(() => replaceLinkDurably(join(directory, 'folder'), 'one'), 'IO');
  expect(existsSync(join(directory, 'folder'))).toBe(true);
  expect(readdirSync(directory)).toEqual(['active', 'folder']);
});

describe('what the file system says', () => {
  it.each([
    ['ENOSPC', 'NO_SPACE'],
    ['EDQUOT', 'NO_SPACE'],
    ['EACCES', 'NO_PERMISSION'],
    ['EPERM', 'NO_PERMISSION'],
    ['EROFS', 'READ_ONLY'],
    ['ENOENT', 'NOT_FOUND'],
    ['EIO', 'IO'],
    ['ELOOP', 'IO'],
  ])('%s is %s', (errno, code) => {
    const error = durableErrorFrom(Object.assign(new Error(`${errno}: it went wrong`), { code: errno }), 'write', 'x');
    expect(error.code).toBe(code);
    expect(error.message).toMatch(/^could not write x: .+/);
    expect(error.message).not.toMatch(/\n/);
  });

  it('is escaped, and a DurableError stays itself', () => {
    const { message } = durableErrorFrom(new Error('\u001b[2J'), 'open', '\u001b]0;x\u0007');
    expect(message).not.toMatch(/\p{Cc}/u);
    const error = new DurableError('LOCKED', 'locked');
    expect(durableErrorFrom(error, 'open', 'x')).toBe(error);
    expect(durableErrorFrom('a string', 'open', 'x').code).toBe('IO');
  });
});
