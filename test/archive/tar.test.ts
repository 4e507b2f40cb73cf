import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { list } from 'tar';
import { describe, expect, it } from 'vitest';
import { encodeTarHeader, MAX_TAR_ENTRY, parseTarHeader } from '../../src/archive/tar-header.ts';
import { TarReader } from '../../src/archive/tar-reader.ts';
import { writeTar } from '../../src/archive/tar-writer.ts';
import { compareUtf8, concatBytes, utf8 } from '../../src/core/bytes.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { expectCode, expectCodeAsync } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';
import { tempDirectory } from '../support/temp.ts';
import { type Content, collect, LIMITS, pack, pieces, unpack } from './tar-bytes.ts';

const LONG = `${'directory/'.repeat(12)}${'n'.repeat(90)}`;
const SAMPLE: Content = {
  'a/empty': '',
  'a/one-block': 'x'.repeat(512),
  'b.txt': 'hello',
  [LONG]: 'a name in two parts',
  large: 'y'.repeat(100_000),
};
const gnuTar = (() => {
  try {
    return execFileSync('tar', ['--version'], { encoding: 'utf8', stdio: 'pipe' }).includes('GNU tar');
  } catch {
    return false;
  }
})();

function files(content: Content): [string, Uint8Array][] {
  return Object.entries(content).map(([name, body]) => [name, typeof body === 'string' ? utf8(body) : body]);
}

describe('tar round trip', () => {
  it.each([1, 7, 511, 512, 513, 4096, 1 << 20])('gives the same bytes, read in pieces of %i', async (size) => {
    expect(await unpack(await pack(SAMPLE), LIMITS, size)).toEqual(files(SAMPLE));
  });

  it('skips bodies nobody asked for', async () => {
    const reader = new TarReader(pieces(await pack(SAMPLE), 700), LIMITS);
    const names: string[] = [];
    for (let header = await reader.next(); header !== undefined; header = await reader.next()) names.push(header.name);
    expect(names).toEqual(Object.keys(SAMPLE));
    expect(await reader.next()).toBeUndefined();
  });

  it('an archive of nothing is two zero blocks', async () => {
    const archive = await pack({});
    expect(archive).toEqual(new Uint8Array(1024));
    expect(await unpack(archive)).toEqual([]);
  });

  it('headers are the documented bytes', () => {
    const expected = Buffer.alloc(512);
    const fields: readonly (readonly [number, string])[] = [
      [0, 'index.jsonl'],
      [100, '000644 \0'],
      [108, '000000 \0'],
      [116, '000000 \0'],
      [124, '0000000005 \0'],
      [136, '0000000000 \0'],
      [148, '        '],
      [156, '0'],
      [257, 'ustar\x0000'],
      [329, '000000 \0'],
      [337, '000000 \0'],
    ];
    for (const [at, text] of fields) expected.write(text, at, 'latin1');
    const sum = expected.reduce((total, byte) => total + byte, 0);
    expected.write(`${sum.toString(8).padStart(6, '0')} \0`, 148, 'latin1');
    expect(Buffer.from(encodeTarHeader('index.jsonl', 5)).toString('hex')).toBe(expected.toString('hex'));
  });

  it('any files come back as they were, and the archive is the only one that reads so', async () => {
    const name = fc.stringMatching(/^[a-z0-9]{1,12}(\/[a-z0-9]{1,60}){0,3}$/).filter((path) => {
      try {
        encodeTarHeader(path, 0);
        return true;
      } catch {
        return false;
      }
    });
    const content = fc.dictionary(name, fc.uint8Array({ maxLength: 1500 }), { maxKeys: 6 });
    await fc.assert(
      fc.asyncProperty(content, fc.integer({ min: 1, max: 2000 }), async (unsorted, size) => {
        const sorted = Object.fromEntries(Object.entries(unsorted).sort(([a], [b]) => compareUtf8(a, b)));
        // Object keys that are integers come out in number order whatever one does.
        fc.pre(Object.keys(sorted).every((key, i, keys) => i === 0 || compareUtf8(keys[i - 1] ?? '', key) < 0));
        expect(await unpack(await pack(sorted), LIMITS, size)).toEqual(files(sorted));
      }),
      { numRuns: runs(100, 5000) },
    );
  });

  it('a changed byte is a coded error, or an archive that differs only inside a body', async () => {
    const original = await pack({ 'a/b': 'x'.repeat(600), c: 'y' });
    const byte = fc.record({ at: fc.nat(original.length - 1), value: fc.nat(255) });
    await fc.assert(
      fc.asyncProperty(fc.array(byte, { minLength: 1, maxLength: 3 }), async (changes) => {
        const archive = new Uint8Array(original);
        for (const { at, value } of changes) archive[at] = value;
        await assertSoleReading(archive);
      }),
      { numRuns: runs(1500, 100_000) },
    );
  });

  it('blocks cut, repeated and swapped are coded errors, or an archive of ours', async () => {
    const original = await pack({ a: 'x'.repeat(600), b: '', c: 'y', d: 'z'.repeat(513) });
    const blocks = Array.from({ length: original.length / 512 }, (_, i) => original.subarray(i * 512, i * 512 + 512));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(blocks.length - 1), { maxLength: 12 }), async (order) => {
        await assertSoleReading(concatBytes(...order.map((i) => blocks[i] ?? new Uint8Array())));
      }),
      { numRuns: runs(1500, 100_000) },
    );
  });
});

/** Whatever the reader accepts, the writer would have written, byte for byte. */
async function assertSoleReading(archive: Uint8Array): Promise<void> {
  let read: [string, Uint8Array][];
  try {
    read = await unpack(archive, LIMITS, 1000);
  } catch (error) {
    expect(error).toBeInstanceOf(DaemonEyeError);
    return;
  }
  const written = writeTar(read.map(([name, body]) => ({ name, size: body.length, body: [body] })));
  expect(await collect(written)).toEqual(archive);
}

describe('other tools read what we write', () => {
  it('node-tar, strictly', async () => {
    const archive = join(tempDirectory(), 'a.tar');
    writeFileSync(archive, await pack(SAMPLE));
    const seen: [string, number | undefined][] = [];
    await list({ file: archive, strict: true, onReadEntry: ({ path, size }) => seen.push([path, size]) });
    expect(seen).toEqual(files(SAMPLE).map(([name, body]) => [name, body.length]));
  });

  it.skipIf(!gnuTar)('GNU tar (skipped without it)', async () => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'a.tar'), await pack(SAMPLE));
    mkdirSync(join(directory, 'out'));
    execFileSync('tar', ['-xf', '../a.tar'], { cwd: join(directory, 'out'), stdio: 'pipe' });
    for (const [name, body] of files(SAMPLE)) {
      expect(new Uint8Array(readFileSync(join(directory, 'out', name)))).toEqual(body);
    }
  });
});

describe('the writer refuses', () => {
  const file = (name: string, size = 1, body = [utf8('x')]) => ({ name, size, body });
  it.each([
    ['TAR_ORDER', [file('b'), file('a')]],
    ['TAR_DUPLICATE', [file('a'), file('a')]],
    ['TAR_BODY_SIZE', [file('a', 2)]],
    ['TAR_BODY_SIZE', [file('a', 0)]],
    ['TAR_BODY_SIZE', [file('a', 1, [utf8('x'), utf8('y')])]],
    ['TAR_NAME', [file('ü')]],
    ['TAR_NAME', [file('n'.repeat(200))]],
    ['TAR_ENTRY_TOO_LARGE', [file('a', MAX_TAR_ENTRY + 1)]],
    ['PATH_TRAVERSAL', [file('../a')]],
  ])('%s', async (code, entries) => {
    await expectCodeAsync(collect(writeTar(entries)), code);
  });

  it('holds up to the largest size ustar can say', () => {
    expect(parseTarHeader(encodeTarHeader('a', MAX_TAR_ENTRY))).toEqual({ name: 'a', size: MAX_TAR_ENTRY });
    expectCode(() => encodeTarHeader('a', -1), 'TAR_ENTRY_TOO_LARGE');
    expectCode(() => encodeTarHeader('a', 0.5), 'TAR_ENTRY_TOO_LARGE');
  });
});
