import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { canonicalJson, encodeCanonicalJson, parseCanonicalJson } from '../../src/core/jcs.ts';
import { type Json, parseStrictJson, parseStrictJsonObject } from '../../src/core/strict-json.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const parse = (text: string) => parseStrictJson(utf8(text));

/** Any value strict JSON can hold. */
const strictJson = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value')),
    fc.dictionary(
      fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__'),
      tie('value'),
    ),
  ),
})).value;

describe('strict JSON', () => {
  it('reads what JSON.parse reads, where both read', () => {
    for (const text of [
      '{}',
      '[]',
      ' [1, -2, 0] ',
      '{"a":{"b":[true,false,null,"x\\u00e9\\n"]}}',
      '"\\ud83d\\ude00"',
    ]) {
      expect(JSON.stringify(parse(text))).toBe(JSON.stringify(JSON.parse(text)));
    }
  });

  it.each([
    ['a duplicate key', '{"a":1,"a":2}', 'JSON_DUPLICATE_KEY'],
    ['a duplicate key in another spelling', '{"a":1,"\\u0061":2}', 'JSON_DUPLICATE_KEY'],
    ['__proto__', '{"__proto__":{}}', 'JSON_FORBIDDEN_KEY'],
    ['__proto__ in escapes', '{"\\u005f_proto__":1}', 'JSON_FORBIDDEN_KEY'],
    ['a lone high surrogate', '"\\ud800"', 'JSON_LONE_SURROGATE'],
    ['a lone low surrogate in a key', '{"\\udc00":1}', 'JSON_LONE_SURROGATE'],
    ['a number over 2^53', '9007199254740992', 'JSON_NUMBER'],
    ['a huge number', `1${'0'.repeat(400)}`, 'JSON_NUMBER'],
    ['a fraction', '1.5', 'JSON_NUMBER'],
    ['an integer in fraction dress', '1.0', 'JSON_NUMBER'],
    ['an exponent', '1e3', 'JSON_NUMBER'],
    ['minus zero', '-0', 'JSON_NUMBER'],
    ['a leading zero', '01', 'JSON_NUMBER'],
    ['a BOM', '\ufeff{}', 'JSON_BOM'],
    ['text after the end', '{} {}', 'JSON_SYNTAX'],
    ['a trailing comma', '[1,]', 'JSON_SYNTAX'],
    ['a comment', '/**/{}', 'JSON_SYNTAX'],
    ['a raw newline in a string', '"a\nb"', 'JSON_SYNTAX'],
    ['a bad escape', '"\\x41"', 'JSON_SYNTAX'],
    ['a string that never ends', '"abc', 'JSON_SYNTAX'],
    ['a string that ends in a backslash', '"abc\\', 'JSON_SYNTAX'],
    ['nothing', '', 'JSON_SYNTAX'],
    ['NaN', 'NaN', 'JSON_SYNTAX'],
    ['a no-break space', '\u00a0{}', 'JSON_SYNTAX'],
  ])('refuses %s', (_what, text, code) => expectCode(() => parse(text), code));

  it('refuses malformed UTF-8', () =>
    expectCode(() => parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22)), 'UTF8_MALFORMED'));

  it('takes 64 levels and no more', () => {
    expect(parse('['.repeat(64) + ']'.repeat(64))).toBeDefined();
    expectCode(() => parse('['.repeat(65) + ']'.repeat(65)), 'JSON_DEPTH');
    expectCode(() => parse('['.repeat(1_000_000)), 'JSON_DEPTH');
  });

  it('takes as many bytes as it was told', () => {
    expectCode(() => parseStrictJson(utf8('[1,2]'), { maxBytes: 4 }), 'JSON_TOO_LARGE');
  });

  it('wants an object where one is due', () => expectCode(() => parseStrictJsonObject(utf8('[]')), 'JSON_SYNTAX'));

  it('gives objects no prototype, so that a key can only be a key', () => {
    const object = parse('{"constructor":1}') as { constructor: unknown; toString?: unknown };
    expect(object.constructor).toBe(1);
    expect(object.toString).toBeUndefined();
  });

  it('refuses with a code or agrees with JSON.parse, on any text', () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0019-.e tf'.split('')) }),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        let mine: Json;
        try {
          mine = parse(candidate);
        } catch (error) {
          expect(error).toHaveProperty('code');
          return;
        }
        expect(JSON.stringify(mine)).toBe(JSON.stringify(JSON.parse(candidate)));
      }),
      { numRuns: runs(2000, 200_000) },
    );
  });
});

describe('canonical JSON (RFC 8785)', () => {
  it('sorts by UTF-16 code units and escapes as the RFC shows', () => {
    // RFC 8785 section 3.2.3, the order of its example.
    const object = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, '\u00f6': 7 };
    expect(canonicalJson(object)).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}');
    expect(canonicalJson('\u20ac$\u000F\u000aA\'\u0042\u0022\u005c\\"\u002f')).toBe(
      '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"',
    );
  });

  it('reads back what it writes, and only that', () => {
    fc.assert(
      fc.property(strictJson, (value) => {
        const bytes = encodeCanonicalJson(value);
        expect(encodeCanonicalJson(parseCanonicalJson(bytes))).toEqual(bytes);
      }),
      { numRuns: runs(500, 50_000) },
    );
    expectCode(() => parseCanonicalJson(utf8('{"b":1,"a":2}')), 'JSON_NOT_CANONICAL');
    expectCode(() => parseCanonicalJson(utf8('{"a": 1}')), 'JSON_NOT_CANONICAL');
    expectCode(() => parseCanonicalJson(utf8('"\\u0041"')), 'JSON_NOT_CANONICAL');
  });

  it.each([
    ['a fraction', 0.5],
    ['NaN', Number.NaN],
    ['a number over 2^53', 2 ** 53],
    ['a bigint', 1n],
    ['a lone surrogate', '\ud800'],
    ['a function', () => 1],
    ['undefined in an array', [undefined]],
  ])('refuses to write %s', (_what, value) => expectCode(() => canonicalJson(value), 'JSON_NOT_REPRESENTABLE'));

  it('leaves undefined members out', () => expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}'));
});
