import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { compareSbom, judgeComparison } from '../../../src/verify/release/sbom/compare.ts';
import { parseSbom } from '../../../src/verify/release/sbom/formats.ts';
import { expectCode } from '../../support/expect-code.ts';

const A = 'a'.repeat(64);
const parse = (value: unknown) => parseSbom(utf8(JSON.stringify(value)));
const file = (name: unknown, content: unknown = A, alg: unknown = 'SHA-256') => ({
  type: 'file',
  name,
  hashes: [{ alg, content }],
});
const cyclone = (...components: unknown[]) => ({ bomFormat: 'CycloneDX', specVersion: '1.5', components });
const spdx = (...files: unknown[]) => ({ spdxVersion: 'SPDX-2.3', files });
const sum = (fileName: unknown, checksumValue: unknown = A, algorithm: unknown = 'SHA256') => ({
  fileName,
  checksums: [{ algorithm, checksumValue }],
});

describe('a bill of materials', () => {
  it.each([
    ['CycloneDX 1.4', { ...cyclone(file('a')), specVersion: '1.4' }],
    ['CycloneDX 1.5', cyclone(file('./a'))],
    ['CycloneDX 1.6', { ...cyclone({ type: 'library', name: 'x', components: [file('a')] }), specVersion: '1.6' }],
    ['SPDX 2.3', spdx(sum('./a'))],
    [
      'SPDX 3.0',
      {
        '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
        '@graph': [
          { type: 'software_Package', name: 'p' },
          { type: 'software_File', name: 'a', verifiedUsing: [{ type: 'Hash', algorithm: 'sha256', hashValue: A }] },
        ],
      },
    ],
  ])('%s is read', (format, value) => {
    expect(parse(value)).toEqual({ format, files: [{ path: 'a', hashes: { sha256: A } }] });
  });

  it('keeps every hash that counts, and passes over weak ones', () => {
    const hashes = [
      { alg: 'MD5', content: 'x' },
      { alg: 'SHA-512', content: 'B'.repeat(128) },
      { alg: 'SHA-256', content: A },
    ];
    const { files } = parse(cyclone({ type: 'file', name: 'a', hashes }));
    expect(files[0]?.hashes).toEqual({ sha256: A, sha512: 'b'.repeat(128) });
  });

  it.each<[string, unknown, string]>([
    ['a way out', cyclone(file('../a')), 'SBOM_NAME'],
    ['a way out inside', spdx(sum('./a/../../b')), 'SBOM_NAME'],
    ['an absolute name', cyclone(file('/etc/passwd')), 'SBOM_NAME'],
    ['a terminal escape', cyclone(file('a\u001b]0;x\u0007')), 'SBOM_NAME'],
    ['a name turned round', spdx(sum('a\u202etxt')), 'SBOM_NAME'],
    ['an empty name', spdx(sum('')), 'SBOM_NAME'],
    ['no name', spdx(sum(undefined)), 'SBOM_MALFORMED'],
    ['a file twice', cyclone(file('a'), file('./a')), 'SBOM_MALFORMED'],
    ['a hash too short', cyclone(file('a', 'aa')), 'SBOM_MALFORMED'],
    ['a hash that is none', spdx(sum('a', 'g'.repeat(64))), 'SBOM_MALFORMED'],
    ['a hash that is a number', spdx(sum('a', 5)), 'SBOM_MALFORMED'],
    [
      'two hashes of one kind',
      spdx({
        fileName: 'a',
        checksums: [A, 'b'.repeat(64)].map((checksumValue) => ({ algorithm: 'SHA256', checksumValue })),
      }),
      'SBOM_MALFORMED',
    ],
    ['only SHA-1', cyclone(file('a', 'a'.repeat(40), 'SHA-1')), 'SBOM_NO_HASHES'],
    ['no hash', spdx({ fileName: 'a' }), 'SBOM_NO_HASHES'],
    ['no file', cyclone({ type: 'library', name: 'x' }), 'SBOM_MALFORMED'],
    ['another version', { ...cyclone(file('a')), specVersion: '2.0' }, 'SBOM_UNSUPPORTED'],
    ['another version of SPDX', { ...spdx(sum('a')), spdxVersion: 'SPDX-2.2' }, 'SBOM_UNSUPPORTED'],
    ['neither format', { files: [] }, 'SBOM_MALFORMED'],
    ['components that are no list', cyclone(1), 'SBOM_MALFORMED'],
    ['a list at its top', [], 'SBOM_MALFORMED'],
  ])('with %s is refused', (_, value, code) => {
    expectCode(() => parse(value), code);
  });

  it.each<[string, string, string]>([
    ['a key twice', '{"bomFormat":"CycloneDX","bomFormat":"CycloneDX"}', 'SBOM_MALFORMED'],
    ['depth', '['.repeat(5000), 'SBOM_MALFORMED'],
    ['100 MB', ' '.repeat(100_000_000), 'MATERIAL_TOO_LARGE'],
  ])('of bad JSON is refused: %s', (_, text, code) => {
    expectCode(() => parseSbom(utf8(text)), code);
  });

  it('is compared file by file', () => {
    const sbom = parse(cyclone(file('same'), file('other', 'b'.repeat(64)), file('gone')));
    const found = new Map([
      ['same', { sha256: A }],
      ['other', { sha256: A }],
      ['more', { sha256: A }],
    ]);
    const comparison = compareSbom(sbom, found);
    expect(comparison).toEqual({ matching: 1, different: ['other'], missing: ['gone'], unlisted: ['more'] });
    expectCode(() => judgeComparison(sbom, comparison), 'SBOM_MISMATCH');
    expectCode(() => judgeComparison(sbom, { ...comparison, different: [] }), 'SBOM_MISSING');
    expectCode(() => judgeComparison(sbom, { ...comparison, different: [], missing: [] }), 'SBOM_UNLISTED');
  });
});
