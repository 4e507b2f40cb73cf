import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/core/bytes.ts';
import { assertChecksums, checksumsOf, parseChecksums } from '../../../src/verify/release/checksums.ts';
import { messageOfBytes } from '../../../src/verify/release/message.ts';
import { expectCode } from '../../support/expect-code.ts';

const DATA = utf8('a release\n');
const [H256, H512] = ['sha256', 'sha512'].map((name) => createHash(name).update(DATA).digest('hex'));
const MESSAGE = messageOfBytes('tool.tar', DATA);

function check(text: string, name = 'tool.tar') {
  const lines = checksumsOf(parseChecksums(utf8(text)), name);
  assertChecksums(MESSAGE, lines);
  return lines.map(({ line }) => line);
}

describe('a list of checksums', () => {
  it.each<[string, string, string?]>([
    ['of GNU', `${H256}  tool.tar\n`],
    ['of GNU, of binary files', `${H256} *tool.tar\n`],
    ['of GNU, without its last newline', `${H256}  tool.tar`],
    ['of SHA-512', `${H512}  tool.tar\n`],
    ['in capitals', `${H256?.toUpperCase()}  tool.tar\n`],
    ['of BSD', `SHA256 (tool.tar) = ${H256}\n`],
    ['of BSD, of SHA-512', `SHA512 (tool.tar) = ${H512}\n`],
    ['with remarks', `# of today\n\n${H256}  tool.tar\n`],
    ['of this directory', `${H256}  ./tool.tar\n`],
    ['of directories', `${H256}  linux/tool.tar\n`],
    ['of other files too', `${'0'.repeat(64)}  other\n${H256}  tool.tar\n`],
    ['with an escaped name', `\\${H256}  to\\nol\\\\.tar\n`, 'to\nol\\.tar'],
    ['with an escaped name, of BSD', `\\SHA256 (to\\nol.tar) = ${H256}\n`, 'to\nol.tar'],
    ['with a name like the form itself', `SHA256 (a) = b) = ${H256}\n`, 'a) = b'],
    ['with a name that starts with a space', `${H256}   tool.tar\n`, ' tool.tar'],
  ])('%s is read', (_, text, name) => {
    expect(check(text, name)).toHaveLength(1);
  });

  it('of both hashes must have both right', () => {
    expect(check(`${H256}  tool.tar\n${H512}  tool.tar\n`)).toEqual([1, 2]);
    expectCode(() => check(`${H256}  tool.tar\n${'0'.repeat(128)}  tool.tar\n`), 'SUMS_MISMATCH');
  });

  it.each<[string, string, string]>([
    ['a wrong hash', `${'0'.repeat(64)}  tool.tar\n`, 'SUMS_MISMATCH'],
    ['another file', `${H256}  other.tar\n`, 'SUMS_NOT_LISTED'],
    ['a name that ends alike', `${H256}  mytool.tar\n`, 'SUMS_NOT_LISTED'],
    ['two files of that name', `${H256}  a/tool.tar\n${H256}  b/tool.tar\n`, 'SUMS_AMBIGUOUS'],
    ['a file twice', `${H256}  tool.tar\n${H256}  tool.tar\n`, 'SUMS_DUPLICATE'],
    ['a file twice, once with ./', `${H256}  tool.tar\n${H256}  ./tool.tar\n`, 'SUMS_DUPLICATE'],
    ['a file twice, in two forms', `${H256}  tool.tar\nSHA256 (tool.tar) = ${H256}\n`, 'SUMS_DUPLICATE'],
    ['a way out', `${H256}  ../tool.tar\n`, 'SUMS_NAME'],
    ['a way out inside', `${H256}  a/../../tool.tar\n`, 'SUMS_NAME'],
    ['a way out of Windows', `\\${H256}  ..\\\\tool.tar\n`, 'SUMS_NAME'],
    ['an absolute name', `${H256}  /tool.tar\n`, 'SUMS_NAME'],
    ['a drive', `${H256}  C:tool.tar\n`, 'SUMS_NAME'],
    ['nothing after ./', `${H256}  ./\n`, 'SUMS_NAME'],
    ['an MD5', `${'0'.repeat(32)}  tool.tar\n`, 'SUMS_MALFORMED'],
    ['a SHA-1', `${'0'.repeat(40)}  tool.tar\n`, 'SUMS_MALFORMED'],
    ['a hash one digit short', `${H256?.slice(1)}  tool.tar\n`, 'SUMS_MALFORMED'],
    ['a hash one digit long', `${H256}0  tool.tar\n`, 'SUMS_MALFORMED'],
    ['a SHA-512 that says SHA256', `SHA256 (tool.tar) = ${H512}\n`, 'SUMS_MALFORMED'],
    ['an MD5 of BSD', `MD5 (tool.tar) = ${'0'.repeat(32)}\n`, 'SUMS_MALFORMED'],
    ['one space', `${H256} tool.tar\n`, 'SUMS_MALFORMED'],
    ['no name', `${H256}  \n`, 'SUMS_MALFORMED'],
    ['an escape that escapes nothing', `\\${H256}  to\\tol.tar\n`, 'SUMS_MALFORMED'],
    ['a bad line after a good one', `${H256}  tool.tar\nhello\n`, 'SUMS_MALFORMED'],
    ['Windows line ends', `${H256}  tool.tar\r\n`, 'SUMS_MALFORMED'],
    ['a NUL', `${H256}  tool.tar\0\n`, 'SUMS_MALFORMED'],
    ['nothing', '', 'SUMS_MALFORMED'],
    ['remarks only', '# x\n', 'SUMS_MALFORMED'],
    ['a PGP signature', `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n${H256}  tool.tar\n`, 'SUMS_MALFORMED'],
    ['100 MB', 'x'.repeat(100_000_000), 'MATERIAL_TOO_LARGE'],
  ])('with %s is refused', (_, text, code) => {
    expectCode(() => check(text), code);
  });

  it('tells a hostile name harmlessly', () => {
    const text = `${H256}  ../\x1b]0;owned\x07\u202e\n`;
    expect(() => check(text)).toThrow(/\\x1b\]0;owned\\x07\\u\{202e\}/);
  });
});
