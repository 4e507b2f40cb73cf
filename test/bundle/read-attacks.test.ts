import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Pax } from 'tar';
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeTarHeader, TAR_END_BYTES } from '../../src/archive/tar-header.ts';
import { MAX_ENVELOPE, MAX_ROOT_BYTES, ROOT_PAYLOAD_TYPE } from '../../src/bundle/format.ts';
import { concatBytes, encodeHex, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { encodeEnvelope } from '../../src/core/dsse.ts';
import { forgeEntry, forgeHeader, AT as HEADER, type Patch } from '../archive/tar-bytes.ts';
import { tempDirectory } from '../support/temp.ts';
import { expectRefused, expectTrusted } from '../support/trust.ts';
import { judgePath, lightBundle, membersOfBundle, writeDirectory, writeFile, writeTarOf } from './hostile.ts';
import { type Member, memberBytes, tarOf } from './tar-members.ts';

/**
 * What the author of a hostile archive can do (docs/threat-model.md), word by word, against the whole reader: from the
 * bytes on a stick to the line of the report that refuses them. What the parts do alone is in test/archive.
 */

const FILES = { 'linux/exec.yaml': 'title: exec\n', 'linux/net.yaml': 'title: net\n' };
const bundle = lightBundle({ files: FILES });
const members = membersOfBundle(bundle);
const [envelope, root, index, first, last] = members as [Member, Member, Member, Member, Member];
const hex = (text: string) => encodeHex(sha256(utf8(text)));
const EXEC = `blobs/sha256/${hex(FILES['linux/exec.yaml'])}`;
const isRoot = process.getuid?.() === 0;

it.each([
  ['directory', () => writeDirectory(members)],
  ['tar', () => writeTarOf(members)],
])('unharmed, a %s is trusted, and what was judged is what was signed', async (_transport, make) => {
  const { verification, files } = await judgePath(make());
  expectTrusted(verification);
  expect(files).toEqual(FILES);
});

/** Reads a container that must be refused as such: nothing in it counts, nothing of it is left. */
async function refused(path: string, code: string): Promise<void> {
  const { verification, files } = await judgePath(path);
  expectRefused(verification, 'container', code);
  expect(files).toBeUndefined();
}

describe('a tar with one entry more', () => {
  /** A forged entry after all the good ones, where a bundle is nearly believed. */
  const more = (name: string, ...patches: readonly Patch[]) =>
    tarWith(forgeEntry('z', 'evil', [HEADER.name, `${name}\0`], ...patches));
  const tarWith = (...parts: readonly Uint8Array[]) =>
    concatBytes(...members.map(memberBytes), ...parts, new Uint8Array(TAR_END_BYTES));

  it.each<[words: string, code: string, tar: Uint8Array]>([
    ['..', 'PATH_TRAVERSAL', more('../../etc/cron.d/x')],
    ['.. in the middle', 'PATH_TRAVERSAL', more('blobs/../../x')],
    ['absolute path', 'PATH_ABSOLUTE', more('/etc/cron.d/x')],
    ['drive path', 'PATH_DRIVE', more('C:/x')],
    ['drive path without a slash', 'PATH_DRIVE', more('c:x')],
    ['UNC path', 'PATH_DRIVE', more('//server/share')],
    ['backslashes', 'PATH_BACKSLASH', more('..\\..\\x')],
    ['symlink entry', 'TAR_LINK', more('z', [HEADER.type, '2'], [HEADER.link, '/etc/passwd'])],
    ['hardlink entry', 'TAR_LINK', more('z', [HEADER.type, '1'], [HEADER.link, '../../etc/passwd'])],
    ['hardlink to a blob', 'TAR_LINK', more('z', [HEADER.type, '1'], [HEADER.link, first[0]])],
    ['character device', 'TAR_DEVICE', more('z', [HEADER.type, '3'], [HEADER.dev, '000001 \0'])],
    ['block device', 'TAR_DEVICE', more('z', [HEADER.type, '4'])],
    ['FIFO', 'TAR_DEVICE', more('z', [HEADER.type, '6'])],
    ['directory entry', 'TAR_DIRECTORY', more('z', [HEADER.type, '5'])],
    ['setuid bit', 'TAR_MODE', more('z', [HEADER.mode, '004644 \0'])],
    ['setgid bit', 'TAR_MODE', more('z', [HEADER.mode, '002644 \0'])],
    ['duplicate name', 'TAR_DUPLICATE', tarWith(memberBytes(last))],
    ['case-fold twin', 'UNKNOWN_NAME', more('Bundle.dsse.json')],
    ['case-fold twin of a blob', 'UNKNOWN_NAME', more(first[0].toUpperCase())],
    ['NFC/NFD twin', 'TAR_NAME', more('index\u00e9.jsonl')],
    ['NUL-cut name', 'TAR_NAME_NUL', more('index.jsonl\0/../../etc/passwd')],
    ['PAX header', 'TAR_PAX', tarWith(new Pax({ path: '../x', size: 4 }).encode() ?? new Uint8Array())],
    ['PAX header that makes a file sparse', 'TAR_PAX', more('./PaxHeaders/x', [HEADER.type, 'x'])],
    ['global header', 'TAR_PAX', tarWith(new Pax({ size: 0 }, true).encode() ?? new Uint8Array())],
    ['GNU long name', 'TAR_GNU', more('././@LongLink', [HEADER.type, 'L'])],
    ['GNU long link', 'TAR_GNU', more('././@LongLink', [HEADER.type, 'K'])],
    ['sparse file', 'TAR_GNU', more('z', [HEADER.type, 'S'])],
    ['GNU multi-volume', 'TAR_GNU', more('z', [HEADER.type, 'M'])],
    ['Solaris ACL', 'TAR_TYPE', more('z', [HEADER.type, 'A'])],
    ['GNU magic', 'TAR_NOT_USTAR', more('z', [HEADER.magic, 'ustar  \0'])],
    ['size that desynchronises: base 256', 'TAR_SIZE', more('z', [HEADER.size, Uint8Array.of(128, 0, 0, 0, 0)])],
    ['size that desynchronises: a space first', 'TAR_SIZE', more('z', [HEADER.size, ' 0000000004\0'])],
    ['link target on a plain file', 'TAR_NOT_CANONICAL', more('z', [HEADER.link, '/etc/passwd'])],
    ['Windows-reserved name', 'PATH_RESERVED', more('nul')],
    ['Windows-reserved name with an extension', 'PATH_RESERVED', more('blobs/com1.txt')],
    ['alternate stream', 'PATH_STREAM', more('index.jsonl::$DATA')],
    ['alternate stream of a blob', 'PATH_STREAM', more('index.jsonl:hidden')],
    ['short name (8.3)', 'PATH_SHORT_NAME', more('BUNDLE~1.JSO')],
    ['trailing dot', 'PATH_TRAILING', more('index.jsonl.')],
    ['._ file', 'PATH_APPLEDOUBLE', more('._bundle.dsse.json')],
    ['BOM in a name', 'TAR_NAME', more('\xef\xbb\xbfindex.jsonl')],
    ['terminal escape in a name', 'PATH_CONTROL', more('\x1b]0;owned\x07')],
    ['newline in a name', 'PATH_CONTROL', more('z\ntrusted')],
    ['depth bomb', 'PATH_TOO_DEEP', more(`${'a/'.repeat(40)}a`)],
    ['size bomb', 'TAR_ENTRY_TOO_LARGE', tarWith(encodeTarHeader(`blobs/sha256/${'f'.repeat(64)}`, 8 * 1024 ** 3 - 1))],
    ['unlisted file', 'BLOB_UNLISTED', tarWith(memberBytes([`blobs/sha256/${'f'.repeat(64)}`, utf8('evil')]))],
    ['unknown file', 'UNKNOWN_NAME', tarWith(memberBytes(['install.sh', utf8('evil')]))],
    ['wrong checksum', 'TAR_CHECKSUM', more('z', [HEADER.chksum + 7, 'x'])],
  ])('%s: %s', async (words, code, tar) => {
    // A checksum that is right again is what makes the others hostile rather than damaged.
    if (words === 'wrong checksum') tar[tar.length - TAR_END_BYTES - 1024 + HEADER.name] = 0x79;
    await refused(writeFile(tar), code);
  });
});

describe('a tar whose whole is not ours', () => {
  const tar = tarOf(members);
  const open = tar.slice(0, -TAR_END_BYTES);
  const zeros = (bytes: number) => new Uint8Array(bytes);
  const evil = memberBytes(['bundle.dsse.json', utf8('{}')]);
  const dirty = new Uint8Array(tar);
  dirty[dirty.length - TAR_END_BYTES - 1] = 1;
  const swallowing = concatBytes(
    ...[envelope, root, index, first].map(memberBytes),
    forgeEntry(last[0], 'x', [HEADER.size, '0000777777 \0']),
    zeros(1024),
  );
  const roots = (count: number) =>
    Array.from(
      { length: count },
      (_, i): Member => [
        `root/${i + 1}.root.dsse.json`,
        encodeEnvelope({ payloadType: ROOT_PAYLOAD_TYPE, payload: utf8('{}'), signatures: [] }),
      ],
    );

  it.each<[words: string, code: string, tar: Uint8Array]>([
    ['missing EOF', 'TAR_MISSING_EOF', open],
    ['one zero block', 'TAR_MISSING_EOF', concatBytes(open, zeros(512))],
    ['entries after a zero block', 'TAR_MISSING_EOF', concatBytes(open, zeros(512), evil, zeros(1024))],
    ['entries after EOF', 'TAR_CONCATENATED', concatBytes(tar, evil, zeros(1024))],
    ['concatenated archives', 'TAR_CONCATENATED', concatBytes(tar, tar)],
    ['concatenated archives after padding', 'TAR_TRAILING', concatBytes(tar, zeros(10_240), tar)],
    ['trailing bytes', 'TAR_TRAILING', concatBytes(tar, utf8('x'))],
    ['trailing zeros', 'TAR_TRAILING', concatBytes(tar, zeros(512))],
    ['non-zero padding', 'TAR_PADDING', dirty],
    ['size that swallows what follows', 'TAR_TRUNCATED', swallowing],
    ['cut in a blob', 'TAR_TRUNCATED', open.slice(0, -600)],
    ['wrong order: blobs first', 'ENVELOPE_MISSING', tarOf([first, envelope, root, index, last])],
    ['wrong order: blobs', 'TAR_ORDER', tarOf([envelope, root, index, last, first])],
    ['wrong order: a second envelope last', 'TAR_ORDER', tarOf([...members, envelope])],
    ['missing envelope', 'ENVELOPE_MISSING', tarOf([root, index, first, last])],
    ['missing index', 'INDEX_MISSING', tarOf([envelope, root, first, last])],
    ['count bomb: roots', 'ROOT_TOO_MANY', tarOf([envelope, ...roots(300), index, first, last])],
    ['size bomb: envelope', 'ENVELOPE_TOO_LARGE', tarOf([[envelope[0], zeros(MAX_ENVELOPE + 1)], root, index])],
    ['size bomb: root', 'ROOT_TOO_LARGE', tarOf([envelope, [root[0], zeros(MAX_ROOT_BYTES + 1)], index])],
    [
      'size bomb: index',
      'INDEX_TOO_LARGE',
      tarOf([envelope, root, [index[0], concatBytes(index[1], index[1])], first]),
    ],
  ])('%s: %s', async (_words, code, bytes) => refused(writeFile(bytes), code));

  it('wrong order: an index before the root leaves no root to judge by', async () => {
    const { verification } = await judgePath(writeTarOf([envelope, index, root, first, last]));
    expectRefused(verification, 'root-chain', 'ROOT_CHAIN_EMPTY');
  });
});

describe('a directory with something in it that is not a plain, known file', () => {
  const harm = (change: (at: (name: string) => string) => void) => {
    const path = writeDirectory(members);
    change((name) => join(path, name));
    return path;
  };
  const swap = (path: string, put: (path: string) => void) => {
    rmSync(path, { recursive: true });
    put(path);
  };
  const outside = () => {
    const path = join(tempDirectory(), 'outside');
    writeFileSync(path, 'secret');
    return path;
  };

  it.each<[words: string, code: string, change: (at: (name: string) => string) => void]>([
    ['symlink, to a file', 'DIRECTORY_LINK', (at) => swap(at(EXEC), (path) => symlinkSync(outside(), path))],
    ['symlink, dangling', 'DIRECTORY_LINK', (at) => symlinkSync('nowhere', at('extra'))],
    ['symlink, to itself', 'DIRECTORY_LINK', (at) => symlinkSync('loop', at('loop'))],
    ['symlink, out of the bundle', 'DIRECTORY_LINK', (at) => swap(at('root'), (path) => symlinkSync('../..', path))],
    ['symlink, in place of the blobs', 'DIRECTORY_LINK', (at) => swap(at('blobs'), (path) => symlinkSync('.', path))],
    ['FIFO for the envelope', 'DIRECTORY_SPECIAL', (at) => swap(at('bundle.dsse.json'), fifo)],
    ['FIFO for a blob', 'DIRECTORY_SPECIAL', (at) => swap(at(EXEC), fifo)],
    ['FIFO beside the others', 'DIRECTORY_SPECIAL', (at) => fifo(at('extra'))],
    ['setuid bit on a blob', 'DIRECTORY_SETUID', (at) => chmodSync(at(EXEC), 0o4755)],
    ['setgid bit on the envelope', 'DIRECTORY_SETUID', (at) => chmodSync(at('bundle.dsse.json'), 0o2644)],
    ['case-fold twin', 'UNKNOWN_NAME', (at) => writeFileSync(at('Index.jsonl'), '')],
    ['case-fold twin of a directory', 'UNKNOWN_NAME', (at) => mkdirSync(at('Blobs'))],
    ['NFD twin', 'UNKNOWN_NAME', (at) => writeFileSync(at('inde\u0301x.jsonl'), '')],
    ['name that is not UTF-8', 'DIRECTORY_NAME', (at) => writeFileSync(Buffer.from(`${at('x')}\xff`, 'latin1'), '')],
    ['Windows-reserved name', 'UNKNOWN_NAME', (at) => writeFileSync(at('nul'), '')],
    ['alternate stream', 'UNKNOWN_NAME', (at) => writeFileSync(at('index.jsonl:x'), '')],
    ['._ file', 'UNKNOWN_NAME', (at) => writeFileSync(at('._index.jsonl'), '')],
    ['._ file among the blobs', 'UNKNOWN_NAME', (at) => writeFileSync(at('blobs/sha256/._x'), '')],
    ['BOM in a name', 'UNKNOWN_NAME', (at) => writeFileSync(at('\ufeffindex.jsonl'), '')],
    ['terminal escape in a name', 'UNKNOWN_NAME', (at) => writeFileSync(at('\x1b]0;owned\x07'), '')],
    ['newline in a name', 'UNKNOWN_NAME', (at) => writeFileSync(at('x\n✓ trusted'), '')],
    ['unlisted file', 'BLOB_UNLISTED', (at) => writeFileSync(at(`blobs/sha256/${'f'.repeat(64)}`), 'evil')],
    ['unlisted directory', 'UNKNOWN_NAME', (at) => mkdirSync(at('blobs/sha1'))],
    ['missing index', 'INDEX_MISSING', (at) => rmSync(at('index.jsonl'))],
    ['count bomb at the top', 'DIRECTORY_TOO_MANY', (at) => flood(at, '', 100)],
    ['count bomb of roots', 'DIRECTORY_TOO_MANY', (at) => flood(at, 'root/', 1100)],
    ['size bomb: envelope', 'ENVELOPE_TOO_LARGE', (at) => truncateSync(at('bundle.dsse.json'), 2 ** 40)],
    ['size bomb: root', 'ROOT_TOO_LARGE', (at) => truncateSync(at('root/1.root.dsse.json'), 2 ** 40)],
    ['size bomb: index', 'INDEX_TOO_LARGE', (at) => truncateSync(at('index.jsonl'), 2 ** 40)],
    ['directory for a file', 'DIRECTORY_TYPE', (at) => swap(at(EXEC), mkdirSync)],
    ['file for a directory', 'DIRECTORY_TYPE', (at) => swap(at('blobs'), (path) => writeFileSync(path, ''))],
  ])('%s: %s', async (_words, code, change) => refused(harm(change), code));

  it.skipIf(!isRoot).each([
    ['character', 'c'],
    ['block', 'b'],
  ])('%s device: DIRECTORY_SPECIAL (skipped unless root, who alone can make one)', async (_what, type) => {
    for (const name of ['bundle.dsse.json', 'index.jsonl', EXEC, 'extra']) {
      const path = harm((at) => {
        rmSync(at(name), { force: true });
        execFileSync('mknod', [at(name), type, '7', '200'], { stdio: 'pipe' });
      });
      await refused(path, 'DIRECTORY_SPECIAL');
    }
  });

  it('socket: DIRECTORY_SPECIAL', async () => {
    const path = writeDirectory(members);
    const server = createServer();
    onTestFinished(() => void server.close());
    rmSync(join(path, 'index.jsonl'));
    // Short, since the path of a socket has little room.
    const short = join(tempDirectory(), 's');
    await new Promise<void>((listening) => server.listen(short, listening));
    renameSync(short, join(path, 'index.jsonl'));
    await refused(path, 'DIRECTORY_SPECIAL');
  });

  it('hard links are read like any file: used only with the digest that was signed', async () => {
    const path = writeDirectory(members);
    linkSync(join(path, EXEC), join(tempDirectory(), 'other-name'));
    expectTrusted((await judgePath(path)).verification);
    const secret = outside();
    swap(join(path, EXEC), (name) => linkSync(secret, name));
    expectRefused((await judgePath(path)).verification, 'blobs', 'BLOB_MISMATCH');
    expect(readFileSync(secret, 'utf8')).toBe('secret');
  });

  function fifo(path: string): void {
    execFileSync('mkfifo', [path]);
  }
  function flood(at: (name: string) => string, prefix: string, count: number): void {
    for (let i = 0; i < count; i += 1) writeFileSync(at(`${prefix}${i + 10}.root.dsse.json`), '');
  }
});

describe('files that are not the ones that were signed', () => {
  const replaced = (name: string, bytes: Uint8Array) =>
    members.map((one): Member => (one[0] === name ? [name, bytes] : one));
  const without = (name: string) => members.filter((one) => one[0] !== name);
  const both = [
    ['directory', writeDirectory],
    ['tar', writeTarOf],
  ] as const;

  it.each<[words: string, check: 'index' | 'blobs', code: string, hostile: readonly Member[]]>([
    ['missing file', 'blobs', 'BLOB_MISSING', without(EXEC)],
    ['missing files, all', 'blobs', 'BLOB_MISSING', [envelope, root, index]],
    ['changed file', 'blobs', 'BLOB_MISMATCH', replaced(EXEC, utf8('title: EVIL\n'))],
    ['file cut short: only a prefix is there', 'blobs', 'BLOB_MISMATCH', replaced(EXEC, utf8('title: '))],
    [
      'file that goes on: only a prefix was signed',
      'blobs',
      'BLOB_MISMATCH',
      replaced(EXEC, utf8('title: exec\nevil')),
    ],
    ['empty file', 'blobs', 'BLOB_MISMATCH', replaced(EXEC, new Uint8Array())],
    ['files exchanged', 'blobs', 'BLOB_MISMATCH', [envelope, root, index, [first[0], last[1]], [last[0], first[1]]]],
    ['index cut short', 'index', 'INDEX_MISMATCH', replaced('index.jsonl', index[1].slice(0, -1))],
    [
      'index changed',
      'index',
      'INDEX_MISMATCH',
      replaced(
        'index.jsonl',
        index[1].map((byte, i) => byte ^ (i === 40 ? 1 : 0)),
      ),
    ],
    ['empty index', 'index', 'INDEX_MISMATCH', replaced('index.jsonl', new Uint8Array())],
  ])('%s: %s %s', async (_words, check, code, hostile) => {
    for (const [, write] of both) {
      const { verification, files } = await judgePath(write(hostile));
      expectRefused(verification, check, code);
      expect(files).toBeUndefined();
    }
  });
});

describe('what changes while it is read', () => {
  it('a file that changes between the first and the second read: there is no second read', async () => {
    for (const path of [writeDirectory(members), writeTarOf(members)]) {
      const content = async () => {
        // Everything on the stick is another by now.
        if (existsSync(join(path, EXEC))) writeFileSync(join(path, EXEC), 'title: EVIL\n');
        else writeFileSync(path, 'gone');
        return { ok: true, reason: 'fine' };
      };
      const { verification, staged, files } = await judgePath(path, { content });
      expectTrusted(verification);
      expect(files).toEqual(FILES);
      expect(staged?.index).toEqual(index[1]);
    }
  });

  it('a file that grows, shrinks or is written over during the only read: FILE_CHANGED', async () => {
    // Over a mebibyte, so that it is read in several pieces; the first one told is when the stick turns.
    const large = lightBundle({ files: { large: 'x'.repeat(3 * 1024 * 1024) } });
    for (const turn of [
      (path: string) => appendFileSync(path, 'more'),
      (path: string) => truncateSync(path, 2 * 1024 * 1024),
      // The same bytes: that somebody writes there at all is enough.
      (path: string) => writeFileSync(path, readFileSync(path)),
    ]) {
      for (const write of [writeTarOf, writeDirectory]) {
        const path = write(membersOfBundle(large));
        const blob = join(path, `blobs/sha256/${hex('x'.repeat(3 * 1024 * 1024))}`);
        utimesSync(existsSync(blob) ? blob : path, 1, 1);
        let turned = false;
        const progress = () => {
          if (!turned) turn(existsSync(blob) ? blob : path);
          turned = true;
        };
        const { verification } = await judgePath(path, { progress });
        expectRefused(verification, 'container', 'FILE_CHANGED');
      }
    }
  });

  it('a directory that is replaced by another bundle: all or nothing', async () => {
    const path = writeDirectory(members);
    const other = membersOfBundle(lightBundle({ files: { 'linux/exec.yaml': 'title: EVIL\n' } }));
    let swapped = false;
    const progress = () => {
      if (swapped) return;
      swapped = true;
      renameSync(path, `${path}.gone`);
      writeDirectory(other, path);
    };
    const { verification, files } = await judgePath(path, { progress });
    expectTrusted(verification);
    expect(files).toEqual(FILES);
  });
});

describe('two-archive link tricks', () => {
  it('a first archive can leave no link for a second to write through', async () => {
    const parent = tempDirectory();
    const secret = join(tempDirectory(), 'secret');
    writeFileSync(secret, 'mine');
    for (const type of ['1', '2']) {
      const link = forgeHeader(EXEC, 0, [HEADER.type, type], [HEADER.link, secret]);
      const planting = writeFile(
        concatBytes(...[envelope, root, index].map(memberBytes), link, new Uint8Array(TAR_END_BYTES)),
      );
      expectRefused((await judgePath(planting, { parent })).verification, 'container', 'TAR_LINK');
      expectTrusted((await judgePath(writeTarOf(members), { parent })).verification);
    }
    expect(readFileSync(secret, 'utf8')).toBe('mine');
  });

  it('a link to a directory in one entry, a file beneath it in the next: refused at the first', async () => {
    const link = forgeHeader('z', 0, [HEADER.type, '2'], [HEADER.link, '/tmp']);
    const tar = concatBytes(...members.map(memberBytes), link, memberBytes(['z/x', utf8('evil')]));
    await refused(writeFile(tar), 'TAR_LINK');
  });

  it('install paths can not climb through one another: a file is never also a directory', async () => {
    expect(() => lightBundle({ files: { a: 'x', 'a/b': 'y' } })).toThrow(/both a file and a directory/);
  });
});
