import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK } from '../../src/bundle/format.ts';
import { encodeIndex, expectedBlobs, type IndexEntry, parseIndex } from '../../src/bundle/index-lines.ts';
import { compareUtf8, decodeUtf8, utf8 } from '../../src/core/bytes.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const hex = (digit: string) => digit.repeat(64);

function entry(path: string, size = 3, sha256 = hex('a')): IndexEntry {
  return { path, mode: '0644', size, sha256 };
}

/** Lines as they are given, right or wrong. */
function index(...entries: readonly object[]): Uint8Array {
  return utf8(entries.map((line) => `${canonicalJson(line)}\n`).join(''));
}

function parse(bytes: Uint8Array, lines: number, total: number): IndexEntry[] {
  return parseIndex(bytes, { lines, bytes: total });
}

/** The shape of a minisign key; nothing here verifies with it. */
const KEY = `RW${'A'.repeat(54)}`;

const LARGE: IndexEntry = {
  path: 'large',
  mode: '0755',
  size: 2 * CHUNK + 5,
  sha256: hex('b'),
  chunks: [
    { sha256: hex('c'), size: CHUNK },
    { sha256: hex('d'), size: CHUNK },
    { sha256: hex('e'), size: 5 },
  ],
};

describe('index', () => {
  it('is one canonical line a file, sorted by path bytes', () => {
    const bytes = encodeIndex([entry('a/b'), entry('a.b'), entry('ä'), entry('Z'), entry('a-b')]);
    const lines = decodeUtf8(bytes).split('\n');
    expect(lines.map((line) => (line === '' ? '' : JSON.parse(line).path))).toEqual([
      'Z',
      'a-b',
      'a.b',
      'a/b',
      'ä',
      '',
    ]);
    expect(lines[0]).toBe(`{"mode":"0644","path":"Z","sha256":"${hex('a')}","size":3}`);
  });

  it('comes back as it was', () => {
    const attested: IndexEntry = { ...entry('z'), attestations: [{ type: 'minisign', material: 'a', key: KEY }] };
    const entries = [entry('a'), LARGE, attested];
    expect(parse(encodeIndex(entries), 3, LARGE.size + 6)).toEqual(entries);
    expect(parse(new Uint8Array(), 0, 0)).toEqual([]);
  });

  it('any files come back, sorted, and the bytes are the only ones that read so', () => {
    const path = fc.stringMatching(/^[a-zß-ö]{1,6}(\/[a-z]{1,6}){0,2}$/).map((text) => text.normalize('NFC'));
    const file = fc.record({ path, mode: fc.constantFrom('0644' as const, '0755' as const), size: fc.nat(CHUNK) });
    fc.assert(
      fc.property(fc.uniqueArray(file, { selector: (f) => f.path, maxLength: 8 }), (files) => {
        const entries = files.map((f): IndexEntry => ({ ...f, sha256: hex('a') }));
        let bytes: Uint8Array;
        try {
          bytes = encodeIndex(entries);
        } catch (error) {
          // ß and ss, or a file that is a directory too, or a name of Windows.
          expect((error as DaemonEyeError).code).toMatch(/^PATH_(TWIN|FILE_AND_DIRECTORY|RESERVED)$/);
          return;
        }
        const total = entries.reduce((sum, { size }) => sum + size, 0);
        const sorted = entries.toSorted((a, b) => compareUtf8(a.path, b.path));
        expect(parse(bytes, entries.length, total)).toEqual(sorted);
      }),
      { numRuns: runs(300, 20_000) },
    );
  });

  it('a changed byte is a coded error, or another index of ours', () => {
    const original = encodeIndex([entry('a'), LARGE, entry('m/n')]);
    const total = LARGE.size + 6;
    const change = fc.record({ at: fc.nat(original.length - 1), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
        const bytes = new Uint8Array(original);
        for (const { at, value } of changes) bytes[at] = value;
        try {
          expect(encodeIndex(parse(bytes, 3, total))).toEqual(bytes);
        } catch (error) {
          if (!(error instanceof DaemonEyeError)) throw error;
        }
      }),
      { numRuns: runs(1000, 100_000) },
    );
  });

  const line = decodeUtf8(index(entry('a')));
  it.each([
    ['INDEX_MALFORMED', 'no newline at the end', utf8(line.trimEnd()), 1, 3],
    ['INDEX_MALFORMED', 'an empty line', utf8(`${line}\n`), 2, 3],
    ['INDEX_MALFORMED', 'only a newline', utf8('\n'), 1, 0],
    ['INDEX_MALFORMED', 'CR LF', utf8(line.replace('\n', '\r\n')), 1, 3],
    ['INDEX_MALFORMED', 'white space', utf8(line.replace(':', ': ')), 1, 3],
    [
      'INDEX_MALFORMED',
      'another order of keys',
      utf8(`{"path":"a","mode":"0644","sha256":"${hex('a')}","size":3}\n`),
      1,
      3,
    ],
    ['INDEX_MALFORMED', 'an escape that was not needed', utf8(line.replace('"a"', '"\\u0061"')), 1, 3],
    ['INDEX_MALFORMED', 'a key twice', utf8(line.replace('"mode"', '"mode":"0644","mode"')), 1, 3],
    ['INDEX_MALFORMED', 'a byte order mark', utf8(`\ufeff${line}`), 1, 3],
    ['INDEX_MALFORMED', 'an unknown field', index({ ...entry('a'), owner: 'root' }), 1, 3],
    ['INDEX_MALFORMED', 'a setuid mode', index({ ...entry('a'), mode: '4755' }), 1, 3],
    ['INDEX_MALFORMED', 'a short digest', index(entry('a', 3, 'ab')), 1, 3],
    ['INDEX_MALFORMED', 'a digest in upper case', index(entry('a', 3, hex('A'))), 1, 3],
    ['INDEX_MALFORMED', 'a negative size', index(entry('a', -3)), 1, -3],
    ['INDEX_MALFORMED', 'a missing size', index({ ...entry('a'), size: undefined }), 1, 3],
    ['INDEX_MALFORMED', 'no chunks', index({ ...entry('a'), chunks: [] }), 1, 3],
    ['INDEX_MALFORMED', 'not JSON', utf8('x\n'), 1, 3],
    ['INDEX_ORDER', 'lines out of order', index(entry('b'), entry('a')), 2, 6],
    ['INDEX_ORDER', 'one path twice', index(entry('a'), entry('a')), 2, 6],
    ['INDEX_ORDER', 'UTF-16 order where bytes differ', index(entry('\u{10000}'), entry('\uff5e')), 2, 6],
    ['PATH_TWIN', 'twins by case', index(entry('README'), entry('readme')), 2, 6],
    ['PATH_TWIN', 'twins by case fold', index(entry('STRASSE'), entry('straße')), 2, 6],
    ['PATH_TWIN', 'directories that are twins', index(entry('Dir/a'), entry('dir/b')), 2, 6],
    ['PATH_NOT_NFC', 'a path in NFD', index(entry('u\u0308')), 1, 3],
    ['PATH_FILE_AND_DIRECTORY', 'a file that is a directory', index(entry('a'), entry('a/b')), 2, 6],
    ['PATH_TRAVERSAL', 'a path that climbs', index(entry('../../etc/passwd')), 1, 3],
    ['PATH_ABSOLUTE', 'an absolute path', index(entry('/etc/passwd')), 1, 3],
    ['PATH_CONTROL', 'a path with a control character', index(entry('a\u001b[2J')), 1, 3],
    ['INDEX_COUNT', 'more lines than signed', index(entry('a'), entry('b')), 1, 6],
    ['INDEX_COUNT', 'fewer lines than signed', index(entry('a')), 2, 3],
    ['INDEX_COUNT', 'none where one was signed', new Uint8Array(), 1, 0],
    ['INDEX_SIZE', 'another total', index(entry('a')), 1, 4],
    ['INDEX_CHUNKS', 'a large file in one piece', index(entry('a', CHUNK + 1)), 1, CHUNK + 1],
    [
      'INDEX_CHUNKS',
      'a small file in chunks',
      index({
        ...entry('a', 2),
        chunks: [
          { sha256: hex('a'), size: 1 },
          { sha256: hex('b'), size: 1 },
        ],
      }),
      1,
      2,
    ],
    ['INDEX_CHUNKS', 'chunks that fall short', index({ ...LARGE, size: LARGE.size + 1 }), 1, LARGE.size + 1],
    [
      'INDEX_CHUNKS',
      'a short chunk that is not the last',
      index({ ...LARGE, chunks: LARGE.chunks?.toReversed() }),
      1,
      LARGE.size,
    ],
  ])('%s: %s', (code, _what, bytes, lines, total) => {
    expectCode(() => parse(bytes, lines, total), code);
  });

  it('accepts a file of exactly 64 MiB as one blob', () => {
    expect(parse(index(entry('a', CHUNK)), 1, CHUNK)).toHaveLength(1);
  });

  it('stops at the first line too many, before parsing it', () => {
    expectCode(() => parse(utf8(`${line}not even JSON\n`), 1, 3), 'INDEX_COUNT');
  });

  it('lists what a complete bundle holds: chunks instead of their file, each digest once', () => {
    const entries = [entry('a'), entry('b'), { ...entry('c', 5, hex('e')) }, LARGE];
    expect([...expectedBlobs(entries)]).toEqual([
      [hex('a'), 3],
      [hex('e'), 5],
      [hex('c'), CHUNK],
      [hex('d'), CHUNK],
    ]);
  });

  it('INDEX_BLOB_SIZES: one digest with two sizes', () => {
    expectCode(() => expectedBlobs([entry('a', 3), entry('b', 4)]), 'INDEX_BLOB_SIZES');
    expectCode(() => expectedBlobs([entry('a', 3, hex('c')), LARGE]), 'INDEX_BLOB_SIZES');
  });
});

describe('the attestations of a file', () => {
  const mini = { type: 'minisign', material: 'z.minisig', key: KEY };
  const sums = { type: 'sums', material: 'SUMS' };
  const policy = { source: 'https://example.com/a/b' };
  const files = [entry('SUMS'), entry('big.json', 16 * 1024 * 1024 + 1), entry('root.json')];
  const indexOf = (...attestations: readonly object[]) => {
    const entries = [...files, { ...entry('z'), attestations }, entry('z.minisig'), entry('z.sigstore')];
    const total = entries.reduce((sum, { size }) => sum + size, 0);
    return () => parse(index(...entries), entries.length, total);
  };

  it.each([
    ['minisign', [mini]],
    ['two signatures, in order', [mini, { ...mini, material: 'z.sigstore' }]],
    [
      'sigstore with a root of its own and a policy',
      [{ type: 'sigstore', material: 'z.sigstore', identity: 'a', issuer: 'b', trustedRoot: 'root.json', policy }],
    ],
    [
      'sigstore under a root that the trust root pins',
      [{ type: 'sigstore', material: 'z.sigstore', identity: 'a', issuer: 'b', trustedRoot: 'pin:own' }],
    ],
    ['an SSH key', [{ type: 'ssh', material: 'z.minisig', key: 'ssh-ed25519 AAAAC3Nz', namespace: 'file' }]],
  ])('%s: is read', (_, attestations) => {
    expect(indexOf(...attestations)()[3]?.attestations).toEqual(attestations);
  });

  const oidc = { type: 'sigstore', material: 'z.sigstore', identity: 'a', issuer: 'b' };
  it.each<[string, readonly object[], string]>([
    ['no attestation in the list', [], 'INDEX_MALFORMED'],
    ['an unknown type', [{ ...mini, type: 'pgp' }], 'INDEX_MALFORMED'],
    ['the type of every object', [{ ...mini, type: 'constructor' }], 'INDEX_MALFORMED'],
    ['no type', [{ material: 'z.minisig', key: KEY }], 'INDEX_MALFORMED'],
    ['no key', [{ type: 'minisign', material: 'z.minisig' }], 'INDEX_MALFORMED'],
    ['a key of another form', [{ ...mini, key: 'ssh-ed25519 AAAAC3Nz' }], 'INDEX_MALFORMED'],
    ['a second line in the key', [{ ...mini, key: `${KEY}\n${KEY}` }], 'INDEX_MALFORMED'],
    ['the fields of two methods', [{ ...oidc, key: KEY }], 'INDEX_MALFORMED'],
    ['an identity for minisign', [{ ...mini, identity: 'a' }], 'INDEX_MALFORMED'],
    [
      'a certificate without an issuer',
      [{ type: 'sigstore', material: 'z.sigstore', identity: 'a' }],
      'INDEX_MALFORMED',
    ],
    ['a pattern for the identity', [{ ...oidc, identityPattern: '.*' }], 'INDEX_MALFORMED'],
    ['a log that need not be', [{ ...oidc, thresholds: { logs: 0 } }], 'INDEX_MALFORMED'],
    [
      'options in front of an SSH key',
      [{ type: 'ssh', material: 'z.minisig', key: 'cert-authority ssh-ed25519 AAAAC3Nz', namespace: 'file' }],
      'INDEX_MALFORMED',
    ],
    [
      'a second SSH key in a second line',
      [{ type: 'ssh', material: 'z.minisig', key: 'ssh-ed25519 AAAAC3Nz\nx ssh-ed25519 AAAAC3Nz', namespace: 'file' }],
      'INDEX_MALFORMED',
    ],
    ['nine of them', Array.from({ length: 9 }, () => mini), 'INDEX_MALFORMED'],
    ['a material that is not there', [{ ...mini, material: 'y.minisig' }], 'INDEX_ATTESTATION'],
    ['a material outside', [{ ...mini, material: '../z.minisig' }], 'INDEX_ATTESTATION'],
    ['itself for its signature', [{ ...mini, material: 'z' }], 'INDEX_ATTESTATION'],
    ['a material of 16 MiB and a byte', [{ ...mini, material: 'big.json' }], 'INDEX_ATTESTATION'],
    ['a root that is not there', [{ ...oidc, trustedRoot: 'other.json' }], 'INDEX_ATTESTATION'],
    ['a root that is too large', [{ ...oidc, trustedRoot: 'big.json' }], 'INDEX_ATTESTATION'],
    ['the same signature twice', [mini, mini], 'INDEX_ATTESTATION'],
    ['one material for two methods', [mini, { ...mini, type: 'signify' }], 'INDEX_ATTESTATION'],
    ['another order', [{ ...mini, material: 'z.sigstore' }, mini], 'INDEX_ATTESTATION'],
    ['a list of checksums that nobody signed', [sums], 'INDEX_ATTESTATION'],
  ])('%s: is refused', (_, attestations, code) => {
    expectCode(indexOf(...attestations), code);
  });

  it('can not be lists that vouch for each other', () => {
    const a = { ...entry('a'), attestations: [{ type: 'sums', material: 'b' }] };
    const b = { ...entry('b'), attestations: [{ type: 'sums', material: 'a' }] };
    expectCode(() => parse(index(a, b), 2, 6), 'INDEX_ATTESTATION');
  });
});
