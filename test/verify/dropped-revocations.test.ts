import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import { countDropped, droppedRevocations } from '../../src/verify/dropped-revocations.ts';
import type { LogHead, RevokedKey, RootDocument } from '../../src/verify/root-document.ts';
import { keyid, rootDocument } from '../support/trust.ts';

const [one, two] = ['one', 'two'].map((text) => sha256Digest(utf8(text)));
const payloads = [one, two].flatMap((digest) => digest ?? []);
const head = (size: number): LogHead => ({ origin: 'host/log', size, root: sha256Digest(utf8(`${size}`)) });
const revoking = (keys: readonly RevokedKey[], documents = payloads): RootDocument => ({
  ...rootDocument(),
  revoked: { keys, payloads: documents },
});
const before = revoking([{ keyid: keyid('a') }, { keyid: keyid('b'), validThrough: [head(5)] }]);

describe('revocations that a version takes back', () => {
  it('are none when it keeps or adds them, in whatever order', () => {
    const after = revoking(
      [{ keyid: keyid('b'), validThrough: [head(5)] }, { keyid: keyid('c') }, { keyid: keyid('a') }],
      payloads.toReversed(),
    );
    expect(droppedRevocations(before, after)).toBeUndefined();
    expect(droppedRevocations(before, before)).toBeUndefined();
  });

  it('are keys and documents no longer listed', () => {
    const after = revoking([{ keyid: keyid('b') }], payloads.slice(1));
    expect(droppedRevocations(before, after)).toEqual({
      keys: [keyid('a')],
      payloads: payloads.slice(0, 1),
      spared: [],
    });
  });

  it('are keys that now count for more log heads than before; for fewer is none', () => {
    const sparing = (...heads: LogHead[]) =>
      revoking([{ keyid: keyid('a') }, { keyid: keyid('b'), ...(heads.length > 0 ? { validThrough: heads } : {}) }]);
    expect(droppedRevocations(before, sparing())).toBeUndefined();
    expect(droppedRevocations(before, sparing(head(5), head(6)))?.spared).toEqual([keyid('b')]);
    expect(droppedRevocations(before, sparing({ ...head(5), origin: 'host/other' }))?.spared).toEqual([keyid('b')]);
    expect(droppedRevocations(sparing(), before)?.spared).toEqual([keyid('b')]);
  });

  it('are told apart also where an origin holds what separates', () => {
    const spare = (origin: string, size: number) =>
      revoking([{ keyid: keyid('a'), validThrough: [{ ...head(1), origin, size }] }], []);
    expect(droppedRevocations(spare('a\n1', 2), spare('a', 12))?.spared).toEqual([keyid('a')]);
  });

  it('are counted over a chain, step by step', () => {
    const none = revoking([], []);
    expect(countDropped([])).toBe(0);
    expect(countDropped([before])).toBe(0);
    // Four taken back, given again, and taken back once more.
    expect(countDropped([before, none, before, none])).toBe(8);
  });
});
