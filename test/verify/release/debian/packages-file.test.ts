import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import { PackagesFile } from '../../../../src/verify/release/debian/packages-file.ts';
import { expectCode } from '../../../support/expect-code.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const CURL = `Package: curl
Version: 7.88.1-10
Architecture: amd64
Description: fetches
 /zlib_1.2_amd64.deb
Filename: pool/main/c/curl/curl_7.88.1-10_amd64.deb
Size: 315
SHA256: ${A}
`;
const ZLIB = `Package: zlib
Version: 1:1.2
Architecture: amd64
Filename: pool/main/z/zlib/zlib_1.2_amd64.deb
Size: 12
SHA256: ${B}
`;
const GOOD = `${CURL}\n${ZLIB}\n`;
const find = (text: string, file: string) => new PackagesFile(utf8(text)).find(file);

describe('an index of packages', () => {
  it('finds a package by the name of its file, as the archive or as apt calls it', () => {
    const zlib = find(GOOD, 'zlib_1.2_amd64.deb');
    expect(zlib).toEqual({
      name: 'zlib',
      version: '1:1.2',
      architecture: 'amd64',
      path: 'pool/main/z/zlib/zlib_1.2_amd64.deb',
      entries: [{ line: 15, path: 'pool/main/z/zlib/zlib_1.2_amd64.deb', hash: 'sha256', hex: B, size: 12 }],
    });
    expect(find(GOOD, 'zlib_1%3a1.2_amd64.deb')).toEqual(zlib);
    expect(find(GOOD, 'curl_7.88.1-10_amd64.deb').entries[0]).toMatchObject({ line: 8, hex: A });
    expect(find(GOOD.trimEnd(), 'zlib_1.2_amd64.deb').name).toBe('zlib');
  });

  it('may lie flat, and have one package twice', () => {
    expect(find(CURL.replace('pool/main/c/curl/', './'), 'curl_7.88.1-10_amd64.deb').name).toBe('curl');
    expect(find(`${GOOD}${CURL}`, 'curl_7.88.1-10_amd64.deb').name).toBe('curl');
  });

  it.each([
    ['PACKAGES_NOT_LISTED', 'another file', GOOD, 'curl_7.88.1-9_amd64.deb'],
    ['PACKAGES_NOT_LISTED', 'a file that is only mentioned', CURL, 'zlib_1.2_amd64.deb'],
    ['PACKAGES_NOT_LISTED', 'a part of a name', GOOD, 'url_7.88.1-10_amd64.deb'],
    ['PACKAGES_NOT_LISTED', 'nothing', '', 'x.deb'],
    ['SUMS_DUPLICATE', 'two that differ', `${GOOD}${CURL.replace(A, B)}`, 'curl_7.88.1-10_amd64.deb'],
    ['SUMS_NAME', 'a way out', CURL.replace('pool/main', '../..'), 'curl_7.88.1-10_amd64.deb'],
    ['PACKAGES_MALFORMED', 'no size', CURL.replace(/Size.*\n/, ''), 'curl_7.88.1-10_amd64.deb'],
    ['PACKAGES_MALFORMED', 'a size of letters', CURL.replace('315', 'x'), 'curl_7.88.1-10_amd64.deb'],
    ['PACKAGES_MALFORMED', 'no strong hash', CURL.replace('SHA256', 'SHA1'), 'curl_7.88.1-10_amd64.deb'],
    ['PACKAGES_MALFORMED', 'a short hash', CURL.replace(A, A.slice(1)), 'curl_7.88.1-10_amd64.deb'],
    ['PACKAGES_MALFORMED', 'a field twice', `${CURL}sha256: ${B}\n`, 'curl_7.88.1-10_amd64.deb'],
    [
      'PACKAGES_MALFORMED',
      'a second hash on its own line',
      CURL.replace(A, `${A}\nSHA512: 0`),
      'curl_7.88.1-10_amd64.deb',
    ],
    ['PACKAGES_MALFORMED', 'no version', CURL.replace(/Version.*\n/, ''), 'curl_7.88.1-10_amd64.deb'],
    ['PACKAGES_MALFORMED', 'carriage returns', GOOD.replaceAll('\n', '\r\n'), 'curl_7.88.1-10_amd64.deb'],
  ])('refuses as %s: %s', (code, _, text, file) => {
    expectCode(() => find(text, file), code);
  });

  it('is UTF-8', () => {
    expectCode(() => new PackagesFile(Uint8Array.of(0xff)), 'PACKAGES_MALFORMED');
  });
});
