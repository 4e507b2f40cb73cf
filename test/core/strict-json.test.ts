import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { canonicalJson, encodeCanonicalJson, parseCanonicalJson, plainCanonicalJson } from '../../src/core/jcs.ts';
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

describe('strict JSON of other people', () => {
  const read = (text: string) => parseStrictJson(utf8(text), { numbers: 'any' });

  it('may hold any number', () => {
    expect(read('[1.5,-0.25e-2]')).toEqual([1.5, -0.0025]);
    expect(read('123456789012345678901')).toBe(123456789012345680000);
  });

  it.each([
    ['1e400', 'JSON_NUMBER'],
    ['1.', 'JSON_NUMBER'],
    ['01', 'JSON_NUMBER'],
    ['1e', 'JSON_NUMBER'],
    ['1.5.5', 'JSON_NUMBER'],
    ['.5', 'JSON_SYNTAX'],
    ['+1', 'JSON_SYNTAX'],
    ['--1', 'JSON_SYNTAX'],
    ['NaN', 'JSON_SYNTAX'],
    ['Infinity', 'JSON_SYNTAX'],
    ['0x10', 'JSON_SYNTAX'],
  ])('but not %s', (text, code) => {
    expectCode(() => read(text), code);
  });

  it('and nothing else that is refused otherwise', () => {
    expectCode(() => read('{"a":1.5,"a":2}'), 'JSON_DUPLICATE_KEY');
    expectCode(() => parseStrictJson(utf8('1.5')), 'JSON_NUMBER');
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

  it('is the same text by the quick way as by the long one, for anything', () => {
    /** Section 3.2 word for word. */
    const spelled = (value: unknown): string => {
      if (Array.isArray(value)) return `[${value.map(spelled).join(',')}]`;
      if (typeof value !== 'object' || value === null) return JSON.stringify(value);
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      const sorted = members.sort(([a], [b]) => (a < b ? -1 : 1));
      return `{${sorted.map(([key, member]) => `${JSON.stringify(key)}:${spelled(member)}`).join(',')}}`;
    };
    const keys = fc.oneof(fc.constantFrom('10', '9', 'a', 'B', 'é', '\u{1f600}', '\ufb33', 'toJSON'), fc.string());
    const objects = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        strictJson,
        fc.constant(undefined),
        fc.dictionary(
          keys.filter((key) => key !== '__proto__'),
          tie('value'),
        ),
        fc.array(tie('value').filter((member) => member !== undefined)),
      ),
    })).value;
    fc.assert(
      fc.property(objects, (value) => {
        const quick = plainCanonicalJson(value, 64);
        if (quick !== undefined) expect(quick).toBe(spelled(value));
        if (value !== undefined) expect(canonicalJson(value)).toBe(spelled(value));
      }),
      { numRuns: runs(500, 50_000) },
    );
  });

  it('goes the quick way only with what JSON.stringify has no spelling of its own for', () => {
    const withToJson = Object.assign([1], { toJSON: () => 'x' });
    const holed = [1, 2];
    delete holed[0];
    for (const odd of [
      new Date(0),
      new Map([[1, 2]]),
      { toJSON: () => 'x' },
      withToJson,
      holed,
      [undefined],
      0.5,
      1n,
    ]) {
      expect(plainCanonicalJson({ a: odd }, 64), String(odd)).toBeUndefined();
    }
    for (const odd of ['\ud800', { '\udc00': 1 }, JSON.parse('{"__proto__":1}'), { 10: 1, 9: 2, a: 3 }, [[[1]]]]) {
      expect([undefined, '{"10":1,"9":2,"a":3}']).toContain(plainCanonicalJson(odd, 2));
    }
    expect(canonicalJson({ b: 1, 10: 2, 9: 3 })).toBe('{"10":2,"9":3,"b":1}');
    expect(canonicalJson({ b: { d: 1, c: -0 }, a: undefined })).toBe('{"b":{"c":0,"d":1}}');
    const own = { b: 1, a: { d: 1, c: 2 } };
    canonicalJson(own);
    expect(JSON.stringify(own)).toBe('{"b":1,"a":{"d":1,"c":2}}');
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
    ['a fraction', '1.5', 'JSON_NUMBER'],
    ['a large number', '1e+21', 'JSON_NUMBER'],
    ['a number over 2^53', '9007199254740992', 'JSON_NUMBER'],
    ['a lone surrogate', '{"a":"\\ud800"}', 'JSON_LONE_SURROGATE'],
    ['__proto__', '{"__proto__":{"a":1}}', 'JSON_FORBIDDEN_KEY'],
    ['65 levels', '['.repeat(65) + ']'.repeat(65), 'JSON_DEPTH'],
    ['3,000 levels', '['.repeat(3000) + ']'.repeat(3000), 'JSON_DEPTH'],
    ['keys as they were written', '{"b":1,"a":2}', 'JSON_NOT_CANONICAL'],
    ['keys in the order of numbers', '{"9":1,"10":2}', 'JSON_NOT_CANONICAL'],
    ['the same keys deeper down', '[{"a":{"9":1,"10":2}}]', 'JSON_NOT_CANONICAL'],
  ])('refuses %s, which JSON.parse and JSON.stringify hand through', (_what, text, code) => {
    expect(JSON.stringify(JSON.parse(text))).toBe(text);
    expectCode(() => parseCanonicalJson(utf8(text)), code);
  });

  it('refuses 30,000 levels, which JSON.stringify does not survive, and a million', () => {
    for (const levels of [30_000, 1_000_000])
      expectCode(() => parseCanonicalJson(utf8('['.repeat(levels) + ']'.repeat(levels))), 'JSON_DEPTH');
  });

  it('gives objects no prototype, at any depth', () => {
    const [object] = parseCanonicalJson(utf8('[{"a":{}}]')) as [{ a: { toString?: unknown }; toString?: unknown }];
    expect([object.toString, object.a.toString]).toEqual([undefined, undefined]);
    const keyed = parseCanonicalJson(utf8('{"10":1,"9":{"constructor":2}}')) as { 9: { constructor: unknown } };
    expect(keyed[9].constructor).toBe(2);
  });

  it('takes and refuses what the strict parser and the encoder by themselves do, with the same code', () => {
    const outcome = (read: () => Json) => {
      try {
        return encodeCanonicalJson(read());
      } catch (error) {
        return (error as { code?: string }).code ?? error;
      }
    };
    const byTheBook = (bytes: Uint8Array) => () => {
      const value = parseStrictJson(bytes);
      if (Buffer.compare(encodeCanonicalJson(value), bytes) !== 0) throw { code: 'JSON_NOT_CANONICAL' };
      return value;
    };
    const piece = fc.constantFrom(
      ...'{}[]",:\\u019-.e '.split(''),
      '\\ud83d',
      '__proto__',
      '"a":',
      '{"9":0,"10":0}',
      '-0',
    );
    fc.assert(
      fc.property(strictJson, fc.nat(), fc.integer({ min: 0, max: 3 }), piece, (value, place, cut, added) => {
        const text = canonicalJson(value);
        const at = place % (text.length + 1);
        const bytes = utf8(text.slice(0, at) + added + text.slice(at + cut));
        expect(outcome(() => parseCanonicalJson(bytes))).toEqual(outcome(byTheBook(bytes)));
      }),
      { numRuns: runs(2000, 200_000) },
    );
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
