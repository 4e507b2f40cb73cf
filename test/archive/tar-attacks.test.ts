import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, Pax } from 'tar';
import { describe, it } from 'vitest';
import { concatBytes, utf8 } from '../../src/core/bytes.ts';
import { expectCodeAsync } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';
import { AT, end, forgeEntry, forgeHeader, LIMITS, type Patch, pack, unpack } from './tar-bytes.ts';

const END_BYTES = 1024;
const A = (await pack({ a: 'hello' })).slice(0, -END_BYTES);
const B = (await pack({ b: 'body' })).slice(0, -END_BYTES);

/** A good file, then one with a forged header. */
function forged(...patches: readonly Patch[]): Uint8Array {
  return concatBytes(A, forgeEntry('b', 'body', ...patches), end());
}

/** Base-256 (GNU): the high bit, then big-endian bytes. */
function base256(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes[0] = 0x80;
  new DataView(bytes.buffer).setUint32(length - 4, value);
  return bytes;
}

describe('a header that is not exactly ours', () => {
  const cases: readonly (readonly [code: string, what: string, archive: Uint8Array])[] = [
    ['TAR_LINK', 'hard link', forged([AT.type, '1'], [AT.link, '/etc/passwd'])],
    ['TAR_LINK', 'symbolic link', forged([AT.type, '2'], [AT.link, '../../x'])],
    ['TAR_DEVICE', 'character device', forged([AT.type, '3'])],
    ['TAR_DEVICE', 'block device', forged([AT.type, '4'])],
    ['TAR_DEVICE', 'pipe', forged([AT.type, '6'])],
    ['TAR_DIRECTORY', 'directory', forged([AT.type, '5'])],
    ['TAR_DIRECTORY', 'a regular file whose name ends in a slash', forged([AT.name, 'b/'])],
    ['TAR_PAX', 'PAX header', forged([AT.type, 'x'])],
    ['TAR_PAX', 'global PAX header', forged([AT.type, 'g'])],
    ['TAR_PAX', 'Solaris PAX header', forged([AT.type, 'X'])],
    ['TAR_GNU', 'GNU long name', forged([AT.type, 'L'])],
    ['TAR_GNU', 'GNU long link', forged([AT.type, 'K'])],
    ['TAR_GNU', 'GNU sparse file', forged([AT.type, 'S'])],
    ['TAR_GNU', 'GNU dump directory', forged([AT.type, 'D'])],
    ['TAR_GNU', 'GNU multi-volume', forged([AT.type, 'M'])],
    ['TAR_TYPE', 'contiguous file', forged([AT.type, '7'])],
    ['TAR_TYPE', 'old regular file', forged([AT.type, '\0'])],
    ['TAR_TYPE', 'made-up type', forged([AT.type, '~'])],
    ['TAR_NOT_USTAR', 'GNU magic', forged([AT.magic, 'ustar  \0'])],
    ['TAR_NOT_USTAR', 'no magic (v7)', forged([AT.magic, '\0'.repeat(8)])],
    ['TAR_NAME_NUL', 'a name that goes on after a NUL', forged([AT.name, 'b\0/../../etc/passwd'])],
    ['TAR_NAME_NUL', 'a prefix that goes on after a NUL', forged([AT.prefix, 'p\0q'])],
    ['TAR_NAME', 'a name that is not ASCII', forged([AT.name, '\xc3\xbc'])],
    ['TAR_NAME', 'a name that is not UTF-8', forged([AT.name, 'b\xff'])],
    ['PATH_EMPTY', 'no name', forged([AT.name, '\0'])],
    ['PATH_ABSOLUTE', 'an absolute name', forged([AT.name, '/etc/passwd'])],
    ['PATH_TRAVERSAL', 'a name that climbs', forged([AT.name, '../x'])],
    ['PATH_TRAVERSAL', 'a prefix that climbs', forged([AT.prefix, '..'])],
    ['PATH_DRIVE', 'a drive letter', forged([AT.name, 'C:/x'])],
    ['PATH_BACKSLASH', 'a backslash', forged([AT.name, '..\\x'])],
    ['PATH_CONTROL', 'an escape sequence', forged([AT.name, 'b\x1b[2J'])],
    ['PATH_RESERVED', 'a device of Windows', forged([AT.name, 'nul.txt'])],
    ['PATH_STREAM', 'an alternate stream', forged([AT.name, 'bb:x'])],
    ['TAR_PREFIX', 'a prefix that was not needed', forged([AT.prefix, 'p'])],
    ['TAR_SIZE', 'a size in base 256', forged([AT.size, base256(4, 12)])],
    [
      'TAR_SIZE',
      'a negative size',
      forged([AT.size, Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 252)]),
    ],
    ['TAR_SIZE', 'a size with a sign', forged([AT.size, '-000000004 \0'])],
    ['TAR_SIZE', 'a size with leading spaces', forged([AT.size, '         4 \0'])],
    ['TAR_SIZE', 'a size that is not octal', forged([AT.size, '0000000008 \0'])],
    ['TAR_SIZE', 'a size cut at a NUL', forged([AT.size, '4\0'])],
    ['TAR_SIZE', 'no size', forged([AT.size, '\0'.repeat(12)])],
    ['TAR_NOT_CANONICAL', 'the same size, spelled otherwise', forged([AT.size, '00000000004\0'])],
    ['TAR_MODE', 'set-user-id', forged([AT.mode, '004755 \0'])],
    ['TAR_MODE', 'executable', forged([AT.mode, '000755 \0'])],
    ['TAR_MODE', 'the same mode, spelled otherwise', forged([AT.mode, '0000644\0'])],
    ['TAR_NOT_CANONICAL', 'an owner', forged([AT.uid, '001750 \0'])],
    ['TAR_NOT_CANONICAL', 'a time', forged([AT.mtime, '1234567012 \0'])],
    ['TAR_NOT_CANONICAL', 'a user name', forged([AT.uname, 'root'])],
    ['TAR_NOT_CANONICAL', 'device numbers', forged([AT.dev, '000001 \0'])],
    ['TAR_NOT_CANONICAL', 'a link target on a regular file', forged([AT.link, 'x'])],
    ['TAR_NOT_CANONICAL', 'bytes in the spare field', forged([AT.spare, 'x'])],
  ];

  it.each(cases)('%s: %s', async (code, _what, archive) => {
    await expectCodeAsync(unpack(archive), code);
    for (const size of [100, 512]) await expectCodeAsync(unpack(archive, LIMITS, size), code);
  });

  it('TAR_CHECKSUM: a checksum that is off, or spelled in nonsense', async () => {
    const off = new Uint8Array(concatBytes(A, B, end()));
    off[A.length] = 0x63;
    await expectCodeAsync(unpack(off), 'TAR_CHECKSUM');
    const nonsense = concatBytes(A, B, end());
    nonsense.set(utf8('zzzzzz\0 '), A.length + AT.chksum);
    await expectCodeAsync(unpack(nonsense), 'TAR_CHECKSUM');
  });

  it('TAR_PREFIX: a long name split elsewhere', async () => {
    const [first, second] = ['d'.repeat(60), 'e'.repeat(60)];
    const body = forgeEntry(`${first}/${second}/f`, '');
    // As ours: the last component alone would do as the name, but so does the longest tail that fits.
    await unpack(concatBytes(body, end()));
    const name = Buffer.from(body.subarray(AT.name, AT.name + 100))
      .toString('latin1')
      .replaceAll('\0', '');
    const [otherName, otherPrefix] = name === 'f' ? [`${second}/f`, first] : ['f', `${first}/${second}`];
    const blank = [AT.name, '\0'.repeat(100)] as const;
    const noPrefix = [AT.prefix, '\0'.repeat(155)] as const;
    const split = forgeEntry(
      `${first}/${second}/f`,
      '',
      blank,
      noPrefix,
      [AT.name, otherName],
      [AT.prefix, otherPrefix],
    );
    await expectCodeAsync(unpack(concatBytes(split, end())), 'TAR_PREFIX');
  });
});

describe('an archive that is not exactly ours', () => {
  const padded = concatBytes(A, end());
  padded[A.length - 1] = 1;
  const grown = concatBytes(forgeEntry('a', 'hello', [AT.size, '0000002000 \0']), B, end());
  const shrunk = concatBytes(forgeHeader('a', 5), utf8('hello'.padEnd(1024, 'x')), end());
  const cases: readonly (readonly [code: string, what: string, archive: Uint8Array])[] = [
    ['TAR_DUPLICATE', 'one name twice', concatBytes(A, A, end())],
    ['TAR_ORDER', 'names out of order', concatBytes(B, A, end())],
    ['TAR_ORDER', 'one name twice, apart', concatBytes(A, B, A, end())],
    ['TAR_MISSING_EOF', 'nothing at all', new Uint8Array()],
    ['TAR_MISSING_EOF', 'no end', A],
    ['TAR_MISSING_EOF', 'one zero block', concatBytes(A, end(1))],
    ['TAR_MISSING_EOF', 'files after one zero block', concatBytes(A, end(1), B, end())],
    ['TAR_CONCATENATED', 'a second archive', concatBytes(A, end(), B, end())],
    ['TAR_TRAILING', 'zeros after the end (GNU record padding)', concatBytes(A, end(20))],
    ['TAR_TRAILING', 'a byte after the end', concatBytes(A, end(), utf8('x'))],
    ['TAR_TRAILING', 'rubbish after the end', concatBytes(A, end(), new Uint8Array(512).fill(7))],
    ['TAR_PADDING', 'bytes in the padding', padded],
    ['TAR_TRUNCATED', 'cut in a header', A.slice(0, 100)],
    ['TAR_TRUNCATED', 'cut in a body', A.slice(0, 514)],
    ['TAR_TRUNCATED', 'cut in the padding', A.slice(0, 600)],
    ['TAR_TRUNCATED', 'cut in the end', concatBytes(A, new Uint8Array(700))],
    [
      'TAR_TRUNCATED',
      'a size beyond the end',
      concatBytes(forgeEntry('a', 'hello', [AT.size, '0000100000 \0']), end()),
    ],
    ['TAR_CHECKSUM', 'a size that swallows the next header in part', grown],
    ['TAR_PADDING', 'a size that leaves bytes of the body over', shrunk],
    ['TAR_CHECKSUM', 'not a tar', new Uint8Array(2048).fill(0x41)],
  ];

  it.each(cases)('%s: %s', async (code, _what, archive) => {
    await expectCodeAsync(unpack(archive), code);
    for (const size of [100, 512]) await expectCodeAsync(unpack(archive, LIMITS, size), code);
  });

  it('TAR_TOO_MANY and TAR_ENTRY_TOO_LARGE: beyond the limits', async () => {
    const archive = await pack({ a: 'x', b: 'x', c: 'x'.repeat(11) });
    await expectCodeAsync(unpack(archive, { maxEntries: 2, maxEntryBytes: 100 }), 'TAR_TOO_MANY');
    await expectCodeAsync(unpack(archive, { maxEntries: 9, maxEntryBytes: 10 }), 'TAR_ENTRY_TOO_LARGE');
    // Announced sizes are refused before a byte of the body is read.
    const bomb = forgeHeader('a', 8 * 1024 ** 3 - 1);
    await expectCodeAsync(unpack(bomb, { maxEntries: 9, maxEntryBytes: 10 }), 'TAR_ENTRY_TOO_LARGE');
  });

  it('every cut is found out', async () => {
    const archive = await pack({ 'a/b': 'x'.repeat(700), c: '', d: 'y' });
    for (let length = 0; length < archive.length; length += length % 512 === 0 ? 1 : 85) {
      const cut = archive.slice(0, length);
      await expectCodeAsync(unpack(cut), length % 512 === 0 ? codeAtBlock(length) : 'TAR_TRUNCATED');
    }
    function codeAtBlock(length: number): string {
      // Inside the body of a/b, and of d.
      return length === 1024 || length === 2560
        ? 'TAR_TRUNCATED'
        : length === 512
          ? 'TAR_TRUNCATED'
          : 'TAR_MISSING_EOF';
    }
  });
});

describe('archives of other tools', () => {
  function source(): string {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'a'), 'hello', { mode: 0o644 });
    writeFileSync(join(directory, 'ü'), 'hello');
    return directory;
  }

  it('node-tar, as it writes by default', async () => {
    const directory = source();
    await create({ cwd: directory, file: join(directory, 'x.tar') }, ['a']);
    await expectCodeAsync(unpack(readFileSync(join(directory, 'x.tar'))), 'TAR_NOT_CANONICAL');
    await create({ cwd: directory, file: join(directory, 'y.tar') }, ['ü']);
    await expectCodeAsync(unpack(readFileSync(join(directory, 'y.tar'))), 'TAR_PAX');
  });

  it('a PAX header that renames the next file', async () => {
    const pax = new Pax({ path: '../../etc/cron.d/x', size: 5 }).encode();
    await expectCodeAsync(unpack(concatBytes(pax, A, end())), 'TAR_PAX');
  });

  it('a global PAX header that resizes every file', async () => {
    const pax = new Pax({ size: 0 }, true).encode();
    await expectCodeAsync(unpack(concatBytes(pax, A, end())), 'TAR_PAX');
  });

  const gnuTar = (...args: readonly string[]) => {
    const directory = source();
    mkdirSync(join(directory, 'dir'));
    symlinkSync('/etc/passwd', join(directory, 'link'));
    linkSync(join(directory, 'a'), join(directory, 'hard'));
    writeFileSync(join(directory, 'n'.repeat(150)), 'x');
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    execFileSync('tar', ['-cf', 'x.tar', ...args], { cwd: directory, stdio: 'pipe' });
    return readFileSync(join(directory, 'x.tar'));
  };
  const missing = (() => {
    try {
      return !execFileSync('tar', ['--version'], { encoding: 'utf8', stdio: 'pipe' }).includes('GNU tar');
    } catch {
      return true;
    }
  })();

  it.skipIf(missing).each([
    ['TAR_NOT_USTAR', ['--format=gnu', 'a']],
    ['TAR_TYPE', ['--format=v7', 'a']],
    ['TAR_MODE', ['--format=ustar', '--mode=0644', 'a']],
    ['TAR_PAX', ['--format=pax', 'a']],
    ['TAR_DIRECTORY', ['--format=ustar', 'dir']],
    ['TAR_LINK', ['--format=ustar', 'link']],
    ['TAR_DEVICE', ['--format=ustar', 'pipe']],
    ['TAR_GNU', ['--format=gnu', 'n'.repeat(150)]],
  ])('GNU tar (skipped without it): %s %j', async (code, args) => {
    await expectCodeAsync(unpack(gnuTar(...args)), code);
  });
});
