import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import { DaemonEyeError } from '../../src/core/errors.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import type { JsonObject } from '../../src/core/strict-json.ts';
import { LedgerError } from '../../src/ledger/errors.ts';
import { encodeLine, type Line, parseLine, signedLineBytes, signLine } from '../../src/ledger/line.ts';
import { verifyLineSignature } from '../../src/ledger/line-signature.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';

const line: Line = {
  actor: { id: 'procmond', type: 'process' },
  boot: 'boot-1',
  data: { pid: 1 },
  mono: 5,
  n: encodeBase64(new Uint8Array(16)),
  prev: sha256Digest(utf8('genesis')),
  seq: 0,
  ts: 1_700_000_000_000,
  type: 'process.start',
  v: 1,
};
const key = testKey('collector');

describe('a line', () => {
  it('is canonical JSON with these fields, and round-trips', () => {
    const bytes = encodeLine(line);
    expect(decodeUtf8(bytes)).toBe(
      '{"actor":{"id":"procmond","type":"process"},"boot":"boot-1","data":{"pid":1},"mono":5,"n":"AAAAAAAAAAAAAAAAAAAAAA==",' +
        `"prev":"${line.prev}","seq":0,"ts":1700000000000,"type":"process.start","v":1}`,
    );
    expect(encodeLine(parseLine(bytes))).toEqual(bytes);
  });

  const changed: [string, object][] = [
    ['an unknown field', { extra: 1 }],
    ['kid without sig', { kid: 'a'.repeat(64) }],
    ['sig without kid', { sig: `${'A'.repeat(86)}==` }],
    ['a short sig', { kid: 'a'.repeat(64), sig: 'AAAA' }],
    ['another version', { v: 2 }],
    ['a negative seq', { seq: -1 }],
    ['a seq as text', { seq: '0' }],
    ['a time as text', { ts: '1' }],
    ['a negative time', { ts: -1 }],
    ['mono as null', { mono: null }],
    ['a type of one word', { type: 'process' }],
    ['a type in capitals', { type: 'Process.start' }],
    ['a type with an escape', { type: 'process.start\u001b' }],
    ['a type with a newline', { type: 'process.start\n' }],
    ['an endless type', { type: `a.${'b'.repeat(64)}` }],
    ['no boot', { boot: '' }],
    ['a boot with a slash', { boot: '../x' }],
    ['no actor', { actor: null }],
    ['an actor as text', { actor: 'root' }],
    ['an actor of an unknown type', { actor: { id: 'x', type: 'god' } }],
    ['an actor with more', { actor: { id: 'x', type: 'host', uid: 0 } }],
    ['an actor without id', { actor: { id: '', type: 'host' } }],
    ['a short nonce', { n: encodeBase64(new Uint8Array(15)) }],
    ['a nonce with spare bits', { n: 'AAAAAAAAAAAAAAAAAAAAAB==' }],
    ['an unknown hash', { prev: `md5:${'0'.repeat(64)}` }],
    ['a digest in capitals', { prev: `sha256:${'A'.repeat(64)}` }],
    ['data as a list', { data: [] }],
    ['no data', { data: null }],
  ];

  it.each(changed)('with %s is neither written nor read', (_, change) => {
    const bad = { ...line, ...change };
    expectCode(() => encodeLine(bad as Line), 'LINE_MALFORMED');
    expectCode(() => parseLine(utf8(canonicalJson(bad))), 'LINE_MALFORMED');
  });

  it.each(Object.keys(line))('without %s is neither written nor read', (field) => {
    const bad: Partial<Line> = { ...line };
    delete bad[field as keyof Line];
    expectCode(() => encodeLine(bad as Line), 'LINE_MALFORMED');
    expectCode(() => parseLine(utf8(canonicalJson(bad))), 'LINE_MALFORMED');
  });

  it('in any other spelling is not read', () => {
    const text = decodeUtf8(encodeLine(line));
    for (const spelling of [
      ` ${text}`,
      `${text}\n`,
      text.replace(':5', ': 5'),
      text.replace(':5', ':5.0'),
      text.replace(':5', ':5e0'),
      text.replace('procmond', 'p\\u0072ocmond'),
      text.replace('"pid":1', '"pid":1,"pid":1'),
      text.replace('"data":{"pid":1},"mono":5', '"mono":5,"data":{"pid":1}'),
      `\ufeff${text}`,
      '',
      '{}',
      'null',
    ]) {
      expectCode(() => parseLine(utf8(spelling)), 'LINE_MALFORMED');
    }
    expectCode(() => parseLine(Uint8Array.of(0xff, 0xfe)), 'LINE_MALFORMED');
    expectCode(() => parseLine(new Uint8Array(70_000)), 'LINE_TOO_LONG');
  });
});

describe('what a writer writes, a reader reads', () => {
  const nested = (depth: number): JsonObject => (depth === 1 ? {} : { a: nested(depth - 1) });

  it('up to the depth that strict JSON has, and no deeper', () => {
    // The line itself is the first of 64 levels.
    expect(parseLine(encodeLine({ ...line, data: nested(63) })).seq).toBe(0);
    expectCode(() => encodeLine({ ...line, data: nested(64) }), 'LINE_MALFORMED');
  });

  it('whatever anybody passes as data', () => {
    const holed = [1, 2, 3];
    delete holed[1];
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    const own = JSON.parse('{"__proto__":1}');
    for (const bad of [holed, [undefined], loop, own, 0.5, 2 ** 53, '\ud800', 1n, () => 1, Symbol('x')]) {
      expectCode(() => encodeLine({ ...line, data: { bad } as unknown as JsonObject }), 'LINE_MALFORMED');
    }
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withSparseArray: true, withBigInt: true, maxDepth: 4 }),
        (data) => {
          let bytes: Uint8Array;
          try {
            bytes = encodeLine({ ...line, data: { data } as unknown as JsonObject });
          } catch (error) {
            expect(error).toBeInstanceOf(LedgerError);
            return;
          }
          expect(encodeLine(parseLine(bytes))).toEqual(bytes);
        },
      ),
      { numRuns: runs(500, 50_000) },
    );
  });
});

describe('a signed line', () => {
  const signed = signLine(line, key);

  it('verifies under its key only', () => {
    const back = parseLine(encodeLine(signed));
    expect(verifyLineSignature(back, key.publicKey)).toBe(true);
    expect(verifyLineSignature(back, testKey('other').publicKey)).toBe(false);
    expect(verifyLineSignature(line, key.publicKey)).toBe(false);
    expect(decodeUtf8(signedLineBytes(back))).not.toContain('"sig"');
    expect(decodeUtf8(signedLineBytes(back))).toContain(`"kid":"${key.publicKey.keyid}"`);
  });

  it('covers every field, the key id included', () => {
    const changes: Partial<Line>[] = [
      { actor: { id: 'root', type: 'operator' } },
      { boot: 'boot-2' },
      { data: { pid: 2 } },
      { mono: 6 },
      { n: encodeBase64(new Uint8Array(16).fill(1)) },
      { prev: sha256Digest(utf8('other')) },
      { seq: 1 },
      { ts: 1 },
      { type: 'process.exit' },
    ];
    for (const change of changes) {
      expect(verifyLineSignature({ ...signed, ...change }, key.publicKey), JSON.stringify(change)).toBe(false);
    }
    const renamed = { ...signed, kid: testKey('other').publicKey.keyid };
    expect(verifyLineSignature(renamed, testKey('other').publicKey)).toBe(false);
  });

  it('with any bit changed is refused', () => {
    const bytes = encodeLine(signed);
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] as number) ^ (1 << bit);
        try {
          expect(verifyLineSignature(parseLine(changed), key.publicKey)).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(DaemonEyeError);
        }
      }),
      { numRuns: runs(300, 20_000) },
    );
  });
});
