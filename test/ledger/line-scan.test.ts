import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { formatDigest, sha256 } from '../../src/core/digest.ts';
import type { JsonObject } from '../../src/core/strict-json.ts';
import { encodeLine, type Line, parseLine, signLine } from '../../src/ledger/line.ts';
import { LineScanner } from '../../src/ledger/line-scan.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';

const prev = sha256(utf8('the line before'));
const name = utf8('sha256:');
const line: Line = {
  actor: { id: 'procmond', type: 'process' },
  boot: 'boot-1',
  data: { args: ['-c', 'say "hi"\n'], big: 2 ** 53 - 1, deep: { a: { b: [{}, []] } }, no: false, none: null, pid: -7 },
  mono: 5,
  n: encodeBase64(new Uint8Array(16).fill(255)),
  prev: formatDigest('sha256', prev),
  seq: 41,
  ts: 1_700_000_000_000,
  type: 'process.start',
  v: 1,
};

const scan = (bytes: Uint8Array) => new LineScanner().scan(bytes, name, prev);

/** What the scanner may say of bytes: nothing, or what the parser says too. */
function expectAgreement(bytes: Uint8Array): boolean {
  const scanned = scan(bytes);
  if (scanned === undefined) return false;
  const { seq, ts, mono, boot, type, kid, prev: attached } = parseLine(bytes);
  expect(scanned).toEqual({ seq, ts, mono, boot, type });
  expect([kid, attached]).toEqual([undefined, line.prev]);
  return true;
}

describe('the quick reading of a line', () => {
  it('takes the lines a log consists of', () => {
    const small = { ...line, data: { ...line.data, big: 2 ** 40 } };
    expect(scan(encodeLine(small))).toEqual({
      seq: 41,
      ts: line.ts,
      mono: 5,
      boot: 'boot-1',
      type: 'process.start',
    });
    for (const data of [{}, { a: 1 }, { a: '', b: 'x'.repeat(60_000) }]) {
      expect(expectAgreement(encodeLine({ ...line, data }))).toBe(true);
    }
  });

  it.each([
    ['a signed line', signLine(line, testKey('log'))],
    ['a line that is attached elsewhere', { ...line, prev: formatDigest('sha256', sha256(utf8('other'))) }],
    ['one by another hash', { ...line, prev: formatDigest('blake3', prev) }],
    ['text that is no ASCII', { ...line, data: { a: 'ü' } }],
    ['an integer near 2^53', line],
    ['a control character', { ...line, data: { a: '\u0001' } }],
    ['a key with an escape', { ...line, data: { 'a\n': 1 } }],
  ] as const)('leaves %s to the parser', (_what, other) => {
    const bytes = encodeLine(other as Line);
    expect(scan(bytes)).toBeUndefined();
    expect(parseLine(bytes).seq).toBe(41);
  });

  it('never takes what the parser refuses, nor reads it otherwise: any one byte changed, inserted or left out', () => {
    const bytes = encodeLine({ ...line, data: { ...line.data, big: 12 } });
    let taken = 0;
    for (let at = 0; at <= bytes.length; at += 1) {
      for (const code of [0, 0x1f, ...utf8(' "\\{}[],:-0129aAgz.~_'), 0x7f, 0x80, 0xc3, 0xff]) {
        for (const rest of [at, at + 1]) {
          const changed = Buffer.concat([bytes.subarray(0, at), Uint8Array.of(code), bytes.subarray(rest)]);
          if (expectAgreement(changed)) taken += 1;
        }
      }
      expectAgreement(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]));
    }
    // Letters of names and texts may well be others.
    expect(taken).toBeGreaterThan(1000);
  });

  it('never takes what the parser refuses: pieces of lines in any order', () => {
    const text = new TextDecoder().decode(encodeLine({ ...line, data: { a: 1, b: 'x' } }));
    const pieces = text.split(/(?<=[,:{}"])/);
    const extra = [
      '"__proto__":1',
      '01',
      '-0',
      '1e3',
      '1.5',
      '{"b":1,"a":2}',
      '{"a":1,"a":2}',
      '\\u0041',
      '\\/',
      'nul',
    ];
    const edits = fc.array(
      fc.tuple(fc.nat({ max: pieces.length - 1 }), fc.constantFrom(...pieces, ...extra, ''), fc.boolean()),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(edits, (changes) => {
        const changed = [...pieces];
        for (const [at, piece, instead] of changes) changed.splice(at, instead ? 1 : 0, piece);
        expectAgreement(utf8(changed.join('')));
      }),
      { numRuns: runs(1000, 200_000) },
    );
  });

  it('agrees on any data, and on the depth that is allowed', () => {
    const nested = (depth: number): JsonObject => (depth === 1 ? {} : { a: nested(depth - 1) });
    expect(expectAgreement(encodeLine({ ...line, data: nested(63) }))).toBe(true);
    const tooDeep = new TextDecoder().decode(encodeLine({ ...line, data: { a: 'HERE' } }));
    const deep = `${'['.repeat(62)}${']'.repeat(62)}`;
    expect(expectAgreement(utf8(tooDeep.replace('"HERE"', deep)))).toBe(true);
    expect(scan(utf8(tooDeep.replace('"HERE"', `[${deep}]`)))).toBeUndefined();
    const keys = fc.string({ maxLength: 3 }).filter((key) => key !== '__proto__');
    const plain = fc.oneof(fc.string(), fc.maxSafeInteger(), fc.boolean(), fc.constant(null));
    const data = fc.dictionary(keys, fc.oneof(plain, fc.array(plain), fc.dictionary(keys, plain)));
    let taken = 0;
    fc.assert(
      fc.property(data, (found) => {
        if (expectAgreement(encodeLine({ ...line, data: found }))) taken += 1;
      }),
      { numRuns: runs(300, 50_000) },
    );
    expect(taken).toBeGreaterThan(20);
  });
});
