import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import {
  assertCurrent,
  isReleaseFile,
  parseReleaseFile,
  sayRelease,
} from '../../../../src/verify/release/debian/release-file.ts';
import { expectCode } from '../../../support/expect-code.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const LONG = 'c'.repeat(128);
const GOOD = `Origin: Debian
Suite: stable
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC
Description: several
 lines
MD5Sum:
 0 0 ../ignored
SHA256:
 ${A}        0 main/binary-amd64/Packages
 ${B}     1234 main/binary-amd64/Packages.xz
SHA512:
 ${LONG} 0 main/binary-amd64/Packages
`;
const parse = (text: string) => parseReleaseFile(utf8(text));
const changed = (from: string | RegExp, to: string) => GOOD.replace(from, to);

describe('a Release file', () => {
  it('is read: dates, what it says of itself, and its lists', () => {
    const { entries, ...rest } = parse(GOOD);
    expect(rest).toEqual({
      date: '2026-07-11T10:16:37.000Z',
      validUntil: '2026-07-18T10:16:37.000Z',
      told: { Origin: 'Debian', Suite: 'stable', Codename: 'bookworm' },
    });
    expect(entries).toEqual([
      { line: 11, path: 'main/binary-amd64/Packages', hash: 'sha256', hex: A, size: 0 },
      { line: 12, path: 'main/binary-amd64/Packages.xz', hash: 'sha256', hex: B, size: 1234 },
      { line: 14, path: 'main/binary-amd64/Packages', hash: 'sha512', hex: LONG, size: 0 },
    ]);
    expect(sayRelease(parse(GOOD))).toBe(
      'Debian bookworm (stable) of 2026-07-11T10:16:37.000Z, valid until 2026-07-18T10:16:37.000Z; 2 files',
    );
  });

  it.each([
    ['an older form of UTC', changed(/UTC/g, 'GMT')],
    ['an offset of nothing', changed(/UTC/g, '+0000')],
    ['a day of one digit', changed(/Sat, 11/, 'Sat,  1')],
    ['./ before its names', changed(/ main/g, ' ./main')],
    ['one line twice', changed(`SHA512:`, ` ${A} 0 main/binary-amd64/Packages\nSHA512:`)],
    ['no end', changed(/Valid-Until.*\n/, '')],
    ['no newline at its end', GOOD.slice(0, -1)],
  ])('may have %s', (_, text) => {
    expect(parse(text).entries).toHaveLength(3);
  });

  it.each([
    ['RELEASE_MALFORMED', 'no date', changed(/^Date.*\n/m, '')],
    ['RELEASE_MALFORMED', 'a date of another zone', changed('37 UTC', '37 +0200')],
    ['RELEASE_MALFORMED', 'a date that is none', changed('11 Jul', '31 Jun')],
    ['RELEASE_MALFORMED', 'a date on two lines', changed('10:16:37 UTC\nV', '10:16:37 UTC\n 1\nV')],
    ['RELEASE_MALFORMED', 'an end before its date', changed('18 Jul', '10 Jul')],
    ['RELEASE_MALFORMED', 'a field twice', changed('Suite: stable', 'Suite: stable\nsuite: unstable')],
    ['RELEASE_MALFORMED', 'two lists of one kind', `${GOOD}SHA256:\n ${A} 5 x\n`],
    ['RELEASE_MALFORMED', 'a second paragraph', `${GOOD}\nSuite: unstable\n`],
    ['RELEASE_MALFORMED', 'a comment', `#x\n${GOOD}`],
    ['RELEASE_MALFORMED', 'a line that is no field', changed('Suite: stable', 'Suite stable')],
    ['RELEASE_MALFORMED', 'a continuation of nothing', ` x\n${GOOD}`],
    ['RELEASE_MALFORMED', 'a list that starts beside its name', changed('SHA256:\n', `SHA256: ${A} 1 x\n`)],
    ['RELEASE_MALFORMED', 'only weak lists', GOOD.slice(0, GOOD.indexOf('SHA256:'))],
    ['RELEASE_MALFORMED', 'a hash that is too short', changed(A, A.slice(1))],
    ['RELEASE_MALFORMED', 'a hash in capitals', changed(A, A.toUpperCase())],
    ['RELEASE_MALFORMED', 'a size that is negative', changed('     1234', ' -1234')],
    ['RELEASE_MALFORMED', 'a size in another form', changed('     1234', ' 0x10')],
    ['RELEASE_MALFORMED', 'a size with a zero before it', changed('     1234', ' 01234')],
    ['RELEASE_MALFORMED', 'a name with a space', changed('Packages.xz', 'Packages xz')],
    ['RELEASE_MALFORMED', 'carriage returns', GOOD.replaceAll('\n', '\r\n')],
    ['SUMS_NAME', 'a way out', changed('main/binary-amd64/Packages.xz', '../../etc/passwd')],
    ['SUMS_NAME', 'a way out in the middle', changed('main/binary-amd64/Packages.xz', 'main/../../x')],
    ['SUMS_NAME', 'an absolute name', changed('main/binary-amd64/Packages.xz', '/etc/passwd')],
    ['SUMS_DUPLICATE', 'one name with two hashes', changed('SHA512:', ` ${B} 0 main/binary-amd64/Packages\nSHA512:`)],
    ['SUMS_DUPLICATE', 'one name with two sizes', changed('SHA512:', ` ${A} 1 main/binary-amd64/Packages\nSHA512:`)],
    [
      'SUMS_DUPLICATE',
      'one name under two spellings',
      changed('SHA512:', ` ${B} 0 ./main/binary-amd64/Packages\nSHA512:`),
    ],
  ])('is refused as %s with %s', (code, _, text) => {
    expectCode(() => parse(text), code);
  });

  it('counts until it says, and not a moment longer', () => {
    const file = parse(GOOD);
    assertCurrent(file, '2026-07-18T10:16:36.999Z');
    expectCode(() => assertCurrent(file, '2026-07-18T10:16:37.000Z'), 'RELEASE_EXPIRED');
    assertCurrent(parse(changed(/Valid-Until.*\n/, '')), '2100-01-01T00:00:00.000Z');
  });

  it('is told from a list of checksums by what is in it', () => {
    expect(isReleaseFile(utf8(GOOD))).toBe(true);
    // One with only weak lists is meant to be one too, and refused as one.
    expect(isReleaseFile(utf8('Date: x\nMD5Sum:\n 0 0 x\n'))).toBe(true);
    const announcement = `Hello all,\n\nit is out:\n\nSHA256:\n${A}  x\n`;
    for (const text of [`${A}  x\n`, `SHA256 (x) = ${A}\n`, 'SHA256: x\n', '', announcement])
      expect(isReleaseFile(utf8(text))).toBe(false);
  });
});
