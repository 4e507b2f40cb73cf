import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../../src/core/bytes.ts';
import { judge, outcome } from './judging.ts';
import { armor, certificate, clearsigned, ed25519, packet, signature } from './making.ts';

const OURS = ed25519('ours');
const OTHER = ed25519('other');
const RING = certificate(OURS);
const TEXT = 'Origin: us\n- a list\n\n-----BEGIN nothing-----\nFrom here\n';
const GOOD = clearsigned(OURS, TEXT);
const NONE = new Uint8Array();
const of = (text: string) => outcome(utf8(text), RING, NONE);
const read = async (text: string) => Buffer.from((await judge(utf8(text), RING, NONE)).embedded ?? NONE).toString();

describe('a cleartext signature', () => {
  it('gives exactly the text that was signed, without its dashes', async () => {
    expect(GOOD).toContain('\n- - a list\n');
    expect(await of(GOOD)).toBe('pass');
    expect(await read(GOOD)).toBe(TEXT);
  });

  it('gives lines without the white space at their ends, which nobody signed', async () => {
    const padded = GOOD.replace('Origin: us\n', 'Origin: us \t \n').replace('\nFrom here\n', '\nFrom here\t\n');
    expect(await of(padded)).toBe('pass');
    expect(await read(padded)).toBe(TEXT);
    // Other white space is text.
    expect(await of(GOOD.replace('Origin: us\n', 'Origin: us\u00a0\n'))).toBe('PGP_SIGNATURE');
    expect(await of(GOOD.replace('Origin: us\n', 'Origin: us\f\n'))).toBe('PGP_SIGNATURE');
  });

  it('may have a dash before lines that need none, and gives the same text', async () => {
    const more = GOOD.replace('\nFrom here\n', '\n- From here\n');
    expect(await of(more)).toBe('pass');
    expect(await read(more)).toBe(TEXT);
  });

  it('may be by several owners, and name several hashes', async () => {
    const both = utf8(TEXT.trimEnd().replaceAll('\n', '\r\n'));
    const two = concatBytes(...[OURS, OTHER].map((by) => packet(2, signature(by, both, { type: 1 }))));
    const text = GOOD.replace(
      GOOD.slice(GOOD.indexOf('-----BEGIN PGP SIGNATURE')),
      armor('PGP SIGNATURE', two),
    ).replace('Hash: SHA512\n', 'Hash: SHA256, SHA512\nHash: SHA384\n');
    const ring = concatBytes(RING, certificate(OTHER));
    expect(await outcome(utf8(text), ring, NONE, { threshold: 2 })).toBe('pass');
    expect(await outcome(utf8(text), RING, NONE, { threshold: 2 })).toBe('THRESHOLD_NOT_MET');
  });

  const signatureBlock = GOOD.slice(GOOD.indexOf('-----BEGIN PGP SIGNATURE'));
  const head = '-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n';

  it.each<[string, string, string]>([
    ['PGP_CLEARTEXT', 'text after it', `${GOOD}more\n`],
    ['PGP_CLEARTEXT', 'an empty line after it', `${GOOD}\n`],
    ['PGP_CLEARTEXT', 'another message after it', GOOD + GOOD],
    ['PGP_CLEARTEXT', 'a second block of signatures', GOOD + signatureBlock],
    ['PGP_CLEARTEXT', 'another message in it', GOOD.replace('From here\n', GOOD)],
    [
      'PGP_CLEARTEXT',
      'a line that starts with a dash',
      GOOD.replace('- - a list', '- a list').replace('- ----', '----'),
    ],
    ['PGP_CLEARTEXT', 'a dash without a space', GOOD.replace('- - a list', '-- a list')],
    ['PGP_CLEARTEXT', 'something after its first line', GOOD.replace('MESSAGE-----\n', 'MESSAGE----- x\n')],
    ['PGP_CLEARTEXT', 'white space after its first line', GOOD.replace('MESSAGE-----\n', 'MESSAGE----- \n')],
    ['PGP_CLEARTEXT', 'no header', GOOD.replace('Hash: SHA512\n', '')],
    ['PGP_CLEARTEXT', 'the header NotDashEscaped', GOOD.replace('\n\n', '\nNotDashEscaped: You need GnuPG\n\n')],
    ['PGP_CLEARTEXT', 'a comment', GOOD.replace('\n\n', '\nComment: trust me\n\n')],
    // A reader who ends the headers at white space, and one who does not, see different texts (2025).
    ['PGP_CLEARTEXT', 'white space for its empty line', GOOD.replace('SHA512\n\n', 'SHA512\n \nOrigin: them\n\n')],
    ['PGP_CLEARTEXT', 'text among its headers', GOOD.replace('SHA512\n\n', 'SHA512\nOrigin: them\n\n')],
    ['PGP_CLEARTEXT', 'text behind its hash', GOOD.replace('SHA512\n', 'SHA512 Origin: them\n')],
    ['PGP_CLEARTEXT', 'text behind its hash, by a separator', GOOD.replace('SHA512\n', 'SHA512\u2028Origin: them\n')],
    ['PGP_CLEARTEXT', 'another hash than it names', GOOD.replace('SHA512', 'SHA256')],
    ['PGP_HASH', 'a weak hash among its names', GOOD.replace('SHA512', 'SHA512, SHA1')],
    ['PGP_HASH', 'MD5 alone', GOOD.replace('SHA512', 'MD5')],
    ['PGP_CLEARTEXT', 'no signature', GOOD.slice(0, GOOD.indexOf('-----BEGIN PGP SIGNATURE'))],
    ['PGP_CLEARTEXT', 'no text', head + signatureBlock],
    ['PGP_CLEARTEXT', 'an end that is none', GOOD.replace('-----END PGP SIGNATURE-----', '-----END PGP MESSAGE-----')],
    ['PGP_CLEARTEXT', 'carriage returns', GOOD.replaceAll('\n', '\r\n')],
    ['PGP_CLEARTEXT', 'one carriage return in the text', GOOD.replace('us\n', 'us\r\n')],
    // GnuPG cut the hashed line at it, and printed all of it (2025).
    ['PGP_CLEARTEXT', 'a NUL byte', GOOD.replace('us\n', 'us\0evil\n')],
    ['PGP_TYPE', 'a signature that is not over text', clearsigned(OURS, TEXT, { type: 0 })],
    ['PGP_SIGNATURE', 'a line more', GOOD.replace('From here\n', 'From here\nand there\n')],
    ['PGP_SIGNATURE', 'an empty line more', GOOD.replace('From here\n', 'From here\n\n')],
    ['PGP_SIGNATURE', 'a line less', GOOD.replace('From here\n', '')],
    ['PGP_SIGNATURE', 'two lines as one', GOOD.replace('us\n- -', 'us -')],
    ['PGP_SIGNATURE', 'a space at the start of a line', GOOD.replace('\nFrom', '\n From')],
    ['PGP_KEY_UNKNOWN', 'a signature by a stranger', clearsigned(OTHER, TEXT)],
  ])('is refused as %s with %s', async (code, _, text) => {
    expect(await of(text)).toBe(code);
  });

  it('is none with text before it, or a byte order mark', async () => {
    for (const before of ['x\n', '\n', ' ', '\ufeff']) expect(await of(before + GOOD)).toBe('PGP_MALFORMED');
  });

  it('is read only once it is good: a refused one has no text', async () => {
    expect((await judge(utf8(`${GOOD}x`), RING, NONE)).embedded).toBeUndefined();
  });

  it('is not a signature over the file beside it', async () => {
    const data = utf8('something else');
    const { embedded } = await judge(utf8(GOOD), RING, data);
    expect(embedded).toEqual(utf8(TEXT));
  });
});
