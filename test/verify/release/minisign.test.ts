import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeBase64, parseBase64, utf8 } from '../../../src/core/bytes.ts';
import { DaemonEyeError } from '../../../src/core/errors.ts';
import { messageOfBytes } from '../../../src/verify/release/message.ts';
import {
  minisignNeeds,
  parseMinisignKey,
  parseMinisignSignature,
  verifyMinisign,
} from '../../../src/verify/release/minisign.ts';
import { parseSignifyKey, parseSignifySignature, verifySignify } from '../../../src/verify/release/signify.ts';
import { expectCode } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { runs } from '../../support/slow.ts';
import { minisign, minisignKey, signify, signifyKey } from './signing.ts';

const DATA = utf8('a release\n');
const MESSAGE = messageOfBytes('tool.tar', DATA);
const [OURS, OTHER] = [testKey('release'), testKey('somebody else')];
const KEY = parseMinisignKey(utf8(minisignKey(OURS)));
const check = (signature: string, message = MESSAGE, key = KEY) =>
  verifyMinisign(message, parseMinisignSignature(utf8(signature)), key);

/** Replaces one line, counted from 0. */
function withLine(text: string, line: number, change: (old: string) => string): string {
  return text
    .split('\n')
    .map((old, i) => (i === line ? change(old) : old))
    .join('\n');
}

/** Other bytes in a base64 line. */
function withBytes(change: (bytes: Uint8Array) => Uint8Array): (line: string) => string {
  return (line) => encodeBase64(change(parseBase64(line)));
}

const flip = (at: number) =>
  withBytes((bytes) => {
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  });

/** S + L: the same signature to a verifier that does not look (RFC 8032 section 5.1.7 step 1). */
function malleated(signature: Uint8Array): Uint8Array {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  let s = order + BigInt(`0x${Buffer.from(signature.slice(32)).reverse().toString('hex')}`);
  const out = signature.slice();
  for (let i = 32; i < 64; i += 1, s >>= 8n) out[i] = Number(s & 0xffn);
  return out;
}

describe('a minisign signature', () => {
  it.each([false, true])('is accepted, legacy: %s', (legacy) => {
    const signature = minisign(OURS, DATA, legacy, 'timestamp:1700000000\tfile:tool.tar');
    const verdict = check(signature);
    expect(verdict.trustedComment).toBe('timestamp:1700000000\tfile:tool.tar');
    expect(verdict.signer).toEqual({ keyid: OURS.publicKey.keyid, role: 'minisign' });
    expect(minisignNeeds(parseMinisignSignature(utf8(signature)))).toBe(legacy ? 'whole' : 'blake2b512');
  });

  it('over a hash is not one over a file that is that hash, though nobody signed which it is', () => {
    const hash = new Uint8Array(createHash('blake2b512').update(DATA).digest());
    const relabelled = withLine(
      minisign(OURS, DATA),
      1,
      withBytes((bytes) => concatBytes(utf8('Ed'), bytes.slice(2))),
    );
    expectCode(() => check(relabelled, messageOfBytes('x', hash)), 'MINISIGN_SIGNATURE');
    // Nor can it be told of a file of that size that was signed as it is.
    expectCode(() => check(minisign(OURS, hash, true), messageOfBytes('x', hash)), 'MINISIGN_SIGNATURE');
    expect(check(minisign(OURS, hash), messageOfBytes('x', hash)).signer.role).toBe('minisign');
  });

  it('is checked with a key that was copied from a web page', () => {
    const [, line = ''] = minisignKey(OURS).split('\n');
    expect(parseMinisignKey(utf8(line)).key.keyid).toBe(OURS.publicKey.keyid);
  });

  const good = minisign(OURS, DATA);
  it.each<[string, string, string]>([
    ['of another file', minisign(OURS, utf8('another')), 'MINISIGN_SIGNATURE'],
    ['of another key', minisign(OTHER, DATA), 'MINISIGN_KEY_MISMATCH'],
    ['with a changed key id', withLine(good, 1, flip(3)), 'MINISIGN_KEY_MISMATCH'],
    [
      'of another key under our id',
      withLine(minisign(OTHER, DATA), 1, (line) =>
        encodeBase64(concatBytes(parseBase64(good.split('\n')[1] ?? '').slice(0, 10), parseBase64(line).slice(10))),
      ),
      'MINISIGN_SIGNATURE',
    ],
    ['with a changed trusted comment', good.replace('file:x', 'file:y'), 'MINISIGN_COMMENT'],
    ['with a changed global signature', withLine(good, 3, flip(5)), 'MINISIGN_COMMENT'],
    [
      'made legacy by its mark',
      withLine(
        good,
        1,
        withBytes((b) => concatBytes(utf8('Ed'), b.slice(2))),
      ),
      'MINISIGN_SIGNATURE',
    ],
    [
      'made prehashed by its mark',
      withLine(
        minisign(OURS, DATA, true),
        1,
        withBytes((b) => concatBytes(utf8('ED'), b.slice(2))),
      ),
      'MINISIGN_SIGNATURE',
    ],
    [
      'with S past the group order',
      withLine(
        good,
        1,
        withBytes((b) => concatBytes(b.slice(0, 10), malleated(b.slice(10)))),
      ),
      'MINISIGN_SIGNATURE',
    ],
    [
      'of an unknown algorithm',
      withLine(
        good,
        1,
        withBytes((b) => concatBytes(utf8('EX'), b.slice(2))),
      ),
      'MINISIGN_MALFORMED',
    ],
    ['cut short', good.slice(0, -20), 'MINISIGN_MALFORMED'],
    ['without its trusted comment', good.split('\n').slice(0, 2).join('\n'), 'MINISIGN_MALFORMED'],
    ['with a line more', `${good}more\n`, 'MINISIGN_MALFORMED'],
    ['with an empty line more', `${good}\n`, 'MINISIGN_MALFORMED'],
    ['with Windows line ends', good.replaceAll('\n', '\r\n'), 'MINISIGN_MALFORMED'],
    ['with a NUL', good.replace('signature\n', 'sig\0nature\n'), 'MINISIGN_MALFORMED'],
    ['with a BOM', `\ufeff${good}`, 'MINISIGN_MALFORMED'],
    ['with spaces in the base64', withLine(good, 1, (line) => ` ${line}`), 'MINISIGN_MALFORMED'],
    ['with a comment of 9 kB', minisign(OURS, DATA, false, 'x'.repeat(9000)), 'MINISIGN_MALFORMED'],
    ['that is empty', '', 'MINISIGN_MALFORMED'],
    ['of 100 MB', 'untrusted comment: '.repeat(5_500_000), 'MATERIAL_TOO_LARGE'],
  ])('%s is refused', (_, signature, code) => {
    expectCode(() => check(signature), code);
  });

  it('that is not UTF-8 is refused', () => {
    expectCode(() => parseMinisignSignature(concatBytes(utf8(good), Uint8Array.of(0xff, 0x0a))), 'MINISIGN_MALFORMED');
  });

  it('of the file itself needs the file itself', () => {
    const { bytes: _, ...large } = MESSAGE;
    expectCode(() => check(minisign(OURS, DATA, true), large), 'MESSAGE_TOO_LARGE');
    expect(check(good, large).signer.role).toBe('minisign');
  });

  it('with any bit of it changed is refused, with one of our codes', () => {
    const bytes = utf8(good);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        // The untrusted comment is just that.
        if (at >= 'untrusted comment: '.length && at < good.indexOf('\n')) return;
        let thrown: unknown;
        try {
          verifyMinisign(MESSAGE, parseMinisignSignature(changed), KEY);
        } catch (error) {
          thrown = error;
        }
        expect(thrown, `byte ${at}`).toBeInstanceOf(DaemonEyeError);
      }),
      { numRuns: runs(200, 3000) },
    );
  });

  it.each<[string, string]>([
    [
      'of low order',
      `untrusted comment: x\n${encodeBase64(concatBytes(utf8('Ed'), new Uint8Array(8), new Uint8Array([1, ...Array(31).fill(0)])))}\n`,
    ],
    ['of another algorithm', minisignKey(OURS).replace(/\nRW/, '\nRX')],
    ['with a line more', `${minisignKey(OURS)}x\n`],
    ['cut short', minisignKey(OURS).slice(0, -6)],
    ['that is a secret key', 'untrusted comment: minisign encrypted secret key\nRWRTY0Iy\n'],
    ['that is a PEM', OURS.publicKey.pem],
  ])('is not checked with a key %s', (_, key) => {
    expectCode(() => parseMinisignKey(utf8(key)), 'MINISIGN_KEY_MALFORMED');
  });
});

describe('a signify signature', () => {
  const key = parseSignifyKey(utf8(signifyKey(OURS)));
  const good = signify(OURS, DATA);
  const verify = (text: string, message = MESSAGE) => verifySignify(message, parseSignifySignature(utf8(text)), key);

  it('is accepted, also with the text in it', () => {
    expect(verify(good)).toEqual({ keyid: OURS.publicKey.keyid, role: 'signify' });
    const { embedded } = parseSignifySignature(utf8(`${good}SHA256 (x) = 00\n`));
    expect(embedded).toEqual(utf8('SHA256 (x) = 00\n'));
  });

  it.each<[string, string, string]>([
    ['of another file', signify(OURS, utf8('x')), 'SIGNIFY_SIGNATURE'],
    ['of another key', signify(OTHER, DATA), 'SIGNIFY_KEY_MISMATCH'],
    ['with a changed signature', withLine(good, 1, flip(40)), 'SIGNIFY_SIGNATURE'],
    [
      'with S past the group order',
      withLine(
        good,
        1,
        withBytes((b) => concatBytes(b.slice(0, 10), malleated(b.slice(10)))),
      ),
      'SIGNIFY_SIGNATURE',
    ],
    ['with a changed key number', withLine(good, 1, flip(2)), 'SIGNIFY_KEY_MISMATCH'],
    ['of another algorithm', withLine(good, 1, flip(0)), 'SIGNIFY_MALFORMED'],
    ['without a newline at its end', good.slice(0, -1), 'SIGNIFY_MALFORMED'],
    ['with Windows line ends', good.replaceAll('\n', '\r\n'), 'SIGNIFY_MALFORMED'],
    ['without its comment', good.split('\n').slice(1).join('\n'), 'SIGNIFY_MALFORMED'],
    [
      'cut short',
      withLine(
        good,
        1,
        withBytes((b) => b.slice(0, 60)),
      ),
      'SIGNIFY_MALFORMED',
    ],
    ['that is a key', signifyKey(OURS), 'SIGNIFY_MALFORMED'],
    ['that is empty', '', 'SIGNIFY_MALFORMED'],
    ['of 100 MB', 'x'.repeat(100_000_000), 'MATERIAL_TOO_LARGE'],
  ])('%s is refused', (_, text, code) => {
    expectCode(() => verify(text), code);
  });
});
