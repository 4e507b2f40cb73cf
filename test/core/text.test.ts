import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareUtf8, encodeBase64, encodeHex, parseBase64, parseHex } from '../../src/core/bytes.ts';
import { parseDigest, sha256Digest } from '../../src/core/digest.ts';
import { escapeForTerminal } from '../../src/core/terminal-text.ts';
import { formatTime, laterTime, parseTime } from '../../src/core/time.ts';
import { expectCode } from '../support/expect-code.ts';

describe('encodings', () => {
  it('come back as they went', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(parseBase64(encodeBase64(bytes))).toEqual(bytes);
        expect(parseHex(encodeHex(bytes))).toEqual(bytes);
      }),
    );
  });

  it.each(['QQ', 'QQ=', 'QR==', ' QQ==', 'QQ==\n', 'Q-==', 'QQ==QQ=='])('base64 %j is not canonical', (text) =>
    expectCode(() => parseBase64(text), 'BASE64_NOT_CANONICAL'),
  );

  it.each(['A0', '0', 'g0', '0x00', ' 00'])('hex %j is malformed', (text) =>
    expectCode(() => parseHex(text), 'HEX_MALFORMED'),
  );

  it('digests have a name and 64 digits', () => {
    const digest = sha256Digest(new Uint8Array());
    expect(digest).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(parseDigest(digest).name).toBe('sha256');
    for (const bad of ['md5:00', digest.toUpperCase(), `${digest}0`, digest.slice(7), `${digest}\n`]) {
      expectCode(() => parseDigest(bad), 'DIGEST_MALFORMED');
    }
  });

  it('sort as bytes, not as UTF-16', () => {
    expect(['\u{1f600}', '\uffff', 'a'].sort(compareUtf8)).toEqual(['a', '\uffff', '\u{1f600}']);
  });
});

describe('time', () => {
  it('has one spelling', () => {
    expect(formatTime(parseTime('2026-01-31T12:00:00.000Z'))).toBe('2026-01-31T12:00:00.000Z');
    for (const bad of [
      '2026-01-31T12:00:00Z',
      '2026-01-31T12:00:00.000+00:00',
      '2026-02-30T12:00:00.000Z',
      '2026-01-31T24:00:00.000Z',
      '2026-01-31 12:00:00.000Z',
      '2026-12-31T23:59:60.000Z',
      '+002026-01-31T12:00:00.000Z',
    ]) {
      expectCode(() => parseTime(bad), 'TIME_MALFORMED');
    }
  });

  it('compares as text', () => {
    expect(laterTime('2026-01-31T12:00:00.000Z', '2026-01-31T12:00:00.001Z')).toBe('2026-01-31T12:00:00.001Z');
  });
});

describe('text for a terminal', () => {
  it.each([
    ['\u001b[31mred', '\\x1b[31mred'],
    ['a\nb\tc', 'a\\x0ab\\x09c'],
    ['\u009b2J', '\\x9b2J'],
    ['user\u202egpj.exe', 'user\\u{202e}gpj.exe'],
    ['\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['zero\u200bwidth', 'zero\\u{200b}width'],
    ['\u{e0041}tag', '\\u{e0041}tag'],
    ['\u3164filler\ufe0f', '\\u{3164}filler\\u{fe0f}'],
    ['\u0600number', '\\u{600}number'],
    ['lone \ud800', 'lone \\u{d800}'],
    ['plain é 漢字 😀', 'plain é 漢字 😀'],
  ])('%j becomes %j', (text, shown) => expect(escapeForTerminal(text)).toBe(shown));

  it('never holds a control character afterwards', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeForTerminal(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
      }),
    );
  });
});
