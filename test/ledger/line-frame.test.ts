import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import type { JsonObject } from '../../src/core/strict-json.ts';
import { encodeLine, type Line } from '../../src/ledger/line.ts';
import { LineFrame } from '../../src/ledger/line-frame.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

const place = {
  seq: 7,
  prev: sha256Digest(utf8('before')),
  n: encodeBase64(new Uint8Array(16).fill(9)),
  ts: 1_700_000_000_000,
  mono: 12,
  boot: 'boot-1',
};
const content = { type: 'process.start', actor: { type: 'process', id: 'procmond' }, data: {} } as const;

describe('what a writer spells by its frame', () => {
  it('is byte for byte what the encoder of lines makes of the same', () => {
    const frame = new LineFrame();
    const actors = fc.record({
      type: fc.constantFrom('host' as const, 'operator' as const, 'process' as const),
      id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
    });
    const keys = fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__');
    const plain = fc.oneof(fc.constant(null), fc.boolean(), fc.maxSafeInteger(), fc.string({ unit: 'grapheme' }));
    const data = fc.dictionary(keys, fc.oneof(plain, fc.array(plain), fc.dictionary(keys, plain)));
    const types = fc.constantFrom('process.start', 'file.open', 'log.recovery');
    const counts = fc.nat({ max: 2 ** 31 - 1 });
    const signature = fc.option(fc.constant({ kid: 'a'.repeat(64), sig: `${'A'.repeat(86)}==` }), { nil: undefined });
    fc.assert(
      fc.property(types, actors, data, counts, counts, signature, (type, actor, found, ts, mono, signed) => {
        const line = { ...place, ts, mono, actor, type, data: found as JsonObject, v: 1, ...signed } as Line;
        const text = frame.text({ type, actor, data: line.data }, { ...place, ts, mono }, signed as never);
        expect(utf8(text)).toEqual(encodeLine(line));
      }),
      { numRuns: runs(300, 20_000) },
    );
  });

  it.each([
    ['type', { ...content, type: 'Process Start' }, place],
    ['type with a quote', { ...content, type: 'process.start","v":2,"x":"' }, place],
    ['actor type', { ...content, actor: { type: 'god', id: 'x' } }, place],
    ['actor id', { ...content, actor: { type: 'host', id: '' } }, place],
    ['actor with more', { ...content, actor: { ...content.actor, more: 1 } }, place],
    ['lone surrogate in the actor', { ...content, actor: { type: 'host', id: '\ud800' } }, place],
    ['data', { ...content, data: [] }, place],
    ['no data', { ...content, data: undefined }, place],
    ['data', { ...content, data: { a: 0.5 } }, place],
    ['boot', content, { ...place, boot: 'a"b' }],
    ['clock', content, { ...place, ts: 0.5 }],
    ['clock', content, { ...place, mono: -1 }],
    ['clock', content, { ...place, ts: '1' }],
  ])('is refused with a bad %s, also after good ones', (_what, bad, where) => {
    const frame = new LineFrame();
    expect(frame.text(content, place)).toContain('"process.start"');
    expectCode(() => frame.text(bad as never, where as never), 'LINE_MALFORMED');
  });
});
