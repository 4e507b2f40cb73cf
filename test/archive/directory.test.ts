import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UntrustedDirectory } from '../../src/archive/directory-io.ts';
import { walkFiles } from '../../src/archive/walk-io.ts';
import { utf8 } from '../../src/core/bytes.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const MIB = 1024 * 1024;

async function openTemp(): Promise<{ path: string; directory: UntrustedDirectory }> {
  const path = tempDirectory();
  const directory = await UntrustedDirectory.open(path);
  onTestFinished(() => directory.close());
  return { path, directory };
}

async function walked(path: string, limit = 100): Promise<[string, string, boolean][]> {
  await using root = await UntrustedDirectory.open(path);
  const found: [string, string, boolean][] = [];
  for await (const { path: name, open } of walkFiles(root, limit)) {
    await using file = await open();
    found.push([name, Buffer.from(await file.readAll(100)).toString(), file.executable]);
  }
  return found;
}

describe('UntrustedDirectory', () => {
  it('lists names by bytes, with their kinds, and reads files', async () => {
    const { path, directory } = await openTemp();
    writeFileSync(join(path, 'b'), 'x');
    writeFileSync(join(path, 'ä'), 'y');
    mkdirSync(join(path, 'Z'));
    writeFileSync(join(path, 'Z', 'deep'), 'z');
    expect(await directory.names(10)).toEqual([
      { name: 'Z', kind: 'directory' },
      { name: 'b', kind: 'file' },
      { name: 'ä', kind: 'file' },
    ]);
    await using inner = await directory.directory('Z');
    await using file = await inner.file('deep');
    expect(file.path).toBe(join(path, 'Z', 'deep'));
    expect(await file.readAll(10)).toEqual(utf8('z'));
    expect(await directory.has('b')).toBe(true);
    expect(await directory.has('c')).toBe(false);
  });

  it('accepts hard links: NTFS shows two links for any long name', async () => {
    const { path, directory } = await openTemp();
    writeFileSync(join(path, 'a'), 'x');
    linkSync(join(path, 'a'), join(path, 'b'));
    await using file = await directory.file('b');
    expect(await file.readAll(10)).toEqual(utf8('x'));
  });

  it('DIRECTORY_LINK: a symbolic link, listed or opened', async () => {
    const { path, directory } = await openTemp();
    symlinkSync('/etc/passwd', join(path, 'link'));
    await expectCodeAsync(directory.names(10), 'DIRECTORY_LINK');
    await expectCodeAsync(directory.file('link'), 'DIRECTORY_LINK');
  });

  it('DIRECTORY_TYPE: a link to a directory is not entered', async () => {
    const { path, directory } = await openTemp();
    mkdirSync(join(path, 'real'));
    symlinkSync('real', join(path, 'link'));
    const code = process.platform === 'linux' ? 'DIRECTORY_TYPE' : 'DIRECTORY_LINK';
    await expectCodeAsync(directory.directory('link'), code);
  });

  it('DIRECTORY_SPECIAL: a pipe, which nothing waits for', async () => {
    const { path, directory } = await openTemp();
    execFileSync('mkfifo', [join(path, 'pipe')]);
    await expectCodeAsync(directory.names(10), 'DIRECTORY_SPECIAL');
    await expectCodeAsync(directory.file('pipe'), 'DIRECTORY_SPECIAL');
  });

  it('DIRECTORY_SPECIAL: a socket', async () => {
    const { path, directory } = await openTemp();
    const server = createServer().listen(join(path, 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((listening) => server.once('listening', listening));
    await expectCodeAsync(directory.names(10), 'DIRECTORY_SPECIAL');
    await expectCodeAsync(directory.file('socket'), 'DIRECTORY_SPECIAL');
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(!isRoot)('DIRECTORY_SPECIAL: a device (skipped unless root, who alone can make one)', async ({ skip }) => {
    const { path, directory } = await openTemp();
    try {
      execFileSync('mknod', [join(path, 'null'), 'c', '1', '3'], { stdio: 'pipe' });
    } catch {
      skip('this container may not make devices');
    }
    await expectCodeAsync(directory.names(10), 'DIRECTORY_SPECIAL');
    await expectCodeAsync(directory.file('null'), 'DIRECTORY_SPECIAL');
  });

  it.each([0o4644, 0o2755])('DIRECTORY_SETUID: mode %o', async (mode) => {
    const { path, directory } = await openTemp();
    writeFileSync(join(path, 'a'), 'x');
    chmodSync(join(path, 'a'), mode);
    await expectCodeAsync(directory.file('a'), 'DIRECTORY_SETUID');
  });

  it('DIRECTORY_NAME: bytes that are not UTF-8', async () => {
    const { path, directory } = await openTemp();
    writeFileSync(Buffer.concat([Buffer.from(`${path}/a`), Buffer.of(0xff, 0xfe)]), 'x');
    await expectCodeAsync(directory.names(10), 'DIRECTORY_NAME');
  });

  it('DIRECTORY_TOO_MANY: beyond the limit', async () => {
    const { path, directory } = await openTemp();
    for (const name of ['a', 'b', 'c']) writeFileSync(join(path, name), 'x');
    expect(await directory.names(3)).toHaveLength(3);
    await expectCodeAsync(directory.names(2), 'DIRECTORY_TOO_MANY');
  });

  it('DIRECTORY_TYPE: a directory read as a file, a file entered as a directory', async () => {
    const { path, directory } = await openTemp();
    mkdirSync(join(path, 'd'));
    writeFileSync(join(path, 'f'), 'x');
    await expectCodeAsync(directory.file('d'), 'DIRECTORY_TYPE');
    const code = process.platform === 'linux' ? 'DIRECTORY_TYPE' : 'DIRECTORY_CHANGED';
    await expectCodeAsync(directory.directory('f'), code);
    await expectCodeAsync(UntrustedDirectory.open(join(path, 'f')), 'DIRECTORY_TYPE');
  });

  it('NOT_FOUND: what is not there', async () => {
    const { path, directory } = await openTemp();
    await expectCodeAsync(directory.file('a'), 'NOT_FOUND');
    await expectCodeAsync(directory.directory('a'), 'NOT_FOUND');
    await expectCodeAsync(UntrustedDirectory.open(join(path, 'a')), 'NOT_FOUND');
  });

  it.skipIf(process.platform !== 'linux')(
    'stays in the directory it opened when the path is swapped (Linux)',
    async () => {
      const parent = tempDirectory();
      mkdirSync(join(parent, 'stick', 'inner'), { recursive: true });
      writeFileSync(join(parent, 'stick', 'inner', 'a'), 'theirs');
      mkdirSync(join(parent, 'secret', 'inner'), { recursive: true });
      writeFileSync(join(parent, 'secret', 'inner', 'a'), 'ours');
      await using directory = await UntrustedDirectory.open(join(parent, 'stick'));
      renameSync(join(parent, 'stick'), join(parent, 'gone'));
      symlinkSync('secret', join(parent, 'stick'));
      await using inner = await directory.directory('inner');
      await using file = await inner.file('a');
      expect(await file.readAll(10)).toEqual(utf8('theirs'));
    },
  );
});

describe('UntrustedFile', () => {
  async function openFile(size: number) {
    const { path, directory } = await openTemp();
    const name = join(path, 'f');
    writeFileSync(name, new Uint8Array(size).fill(1));
    utimesSync(name, 1, 1);
    const file = await directory.file('f');
    onTestFinished(() => file.close());
    return { name, file };
  }

  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 5])('gives all %i bytes', async (size) => {
    const { file } = await openFile(size);
    expect(file.size).toBe(size);
    expect((await file.readAll(size)).length).toBe(size);
  });

  it('FILE_TOO_LARGE: over what is allowed, before it is read', async () => {
    const { name, file } = await openFile(0);
    truncateSync(name, 1);
    await expectCodeAsync((await reopened(name)).readAll(0), 'FILE_TOO_LARGE');
    expect(file.size).toBe(0);
  });

  async function reopened(name: string) {
    const directory = await UntrustedDirectory.open(join(name, '..'));
    const file = await directory.file('f');
    onTestFinished(async () => {
      await file.close();
      await directory.close();
    });
    return file;
  }

  it.each([10, 4 * MIB])('FILE_CHANGED: one of %i bytes that grows after it was opened', async (size) => {
    const { name, file } = await openFile(size);
    appendFileSync(name, 'more');
    await expectCodeAsync(file.readAll(size), 'FILE_CHANGED');
  });

  it.each([10, 4 * MIB])('FILE_CHANGED: one of %i bytes that shrinks', async (size) => {
    const { name, file } = await openFile(size);
    truncateSync(name, size - 1);
    await expectCodeAsync(file.readAll(size), 'FILE_CHANGED');
  });

  it('FILE_CHANGED: one that shrinks, or grows, halfway', async () => {
    for (const newSize of [2 * MIB, 6 * MIB]) {
      const { name, file } = await openFile(5 * MIB);
      const chunks = file.chunks();
      await chunks.next();
      truncateSync(name, newSize);
      await expectCodeAsync(async () => {
        for await (const _ of chunks);
      }, 'FILE_CHANGED');
    }
  });

  it('FILE_CHANGED: one that is written over at the same size', async () => {
    const { name, file } = await openFile(5 * MIB);
    const chunks = file.chunks();
    await chunks.next();
    writeFileSync(name, new Uint8Array(5 * MIB).fill(2));
    await expectCodeAsync(async () => {
      for await (const _ of chunks);
    }, 'FILE_CHANGED');
  });
});

describe('walkFiles', () => {
  it('finds every file, sorted by path bytes, whatever the order on disk', async () => {
    const path = tempDirectory();
    for (const name of ['b', 'a-b', 'a.b', 'ab', 'a/b', 'a/a/x', 'Z']) {
      mkdirSync(join(path, name, '..'), { recursive: true });
      writeFileSync(join(path, name), name);
    }
    chmodSync(join(path, 'b'), 0o755);
    mkdirSync(join(path, 'empty'));
    expect(await walked(path)).toEqual([
      ['Z', 'Z', false],
      ['a-b', 'a-b', false],
      ['a.b', 'a.b', false],
      ['a/a/x', 'a/a/x', false],
      ['a/b', 'a/b', false],
      ['ab', 'ab', false],
      ['b', 'b', true],
    ]);
  });

  it.each([
    ['PATH_TWIN', ['README', 'readme']],
    ['PATH_TWIN', ['Dir/a', 'dir/b']],
    ['PATH_RESERVED', ['aux.c']],
    ['PATH_CONTROL', ['a\nb']],
    ['PATH_NOT_NFC', ['u\u0308']],
    ['PATH_APPLEDOUBLE', ['._x']],
    ['PATH_BACKSLASH', ['a\\b']],
    ['PATH_TOO_DEEP', [`${'d/'.repeat(32)}f`]],
  ])('%s: %j', async (code, names) => {
    const path = tempDirectory();
    for (const name of names) {
      mkdirSync(join(path, name, '..'), { recursive: true });
      writeFileSync(join(path, name), '');
    }
    await expectCodeAsync(walked(path), code);
  });

  it('DIRECTORY_TOO_MANY counts files and directories in all', async () => {
    const path = tempDirectory();
    mkdirSync(join(path, 'a'));
    mkdirSync(join(path, 'b'));
    writeFileSync(join(path, 'a', 'x'), '');
    writeFileSync(join(path, 'b', 'x'), '');
    expect(await walked(path, 4)).toHaveLength(2);
    await expectCodeAsync(walked(path, 3), 'DIRECTORY_TOO_MANY');
  });
});
