import { ASN1Obj, ByteStream } from '@sigstore/core';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { derSteps, isReadInSteps, MAX_DER_STEPS } from '../../../../src/verify/release/sigstore/der-steps.ts';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { der, octets, sequence, text } from '../../../support/der.ts';
import { expectCode } from '../../../support/expect-code.ts';
import { authority, leaf, messageBundle, ownRoot } from '../../../support/sigstore-authority.ts';
import { runs } from '../../../support/slow.ts';
import { timestampOf } from '../../../support/timestamp-authority.ts';
import { ARTIFACT, edited, type Loose, material, refusal } from './judged.ts';

/** Octets of which the library tries each few for DER, a hundred levels deep. */
const busy = (bytes: number) => octets(Buffer.alloc(bytes, 0x04));
/** Each holds two of the level before, and all of them are read again at every level above. */
const nested = (depth: number): Buffer =>
  depth === 0 ? octets(Buffer.from([4])) : octets(nested(depth - 1), nested(depth - 1));

describe('the steps that reading takes', () => {
  it('are few for what is real', () => {
    const timestamp = Buffer.from(timestampOf(Buffer.from('x')), 'base64');
    for (const bytes of [leaf().der, authority(), timestamp, sequence(text('x'.repeat(60_000)))])
      expect(isReadInSteps(bytes)).toBe(true);
  });

  it.each<[string, Uint8Array]>([
    ['octets in octets', busy(5000)],
    ['a megabyte of them', sequence(busy(60_000))],
    ['a tree', nested(12)],
    ['many values', sequence(...Array.from({ length: MAX_DER_STEPS }, () => text('')))],
  ])('are too many for %s', (_, bytes) => {
    expect(isReadInSteps(bytes)).toBe(false);
  });

  it('are those that the library takes, or more', () => {
    const values = fc.letrec<{ value: Buffer }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
        fc.constantFrom(...[0x04, 0x84, 0x24, 0x30].map((byte) => Buffer.alloc(12, byte))),
        fc
          .tuple(fc.constantFrom(0x04, 0x30, 0xa0, 0x0c), fc.array(tie('value'), { maxLength: 4 }))
          .map(([tag, parts]) => der(tag, ...parts)),
      ),
    })).value;
    let read = 0;
    const getUint8 = vi.spyOn(ByteStream.prototype, 'getUint8');
    fc.assert(
      fc.property(values, (bytes) => {
        getUint8.mockClear();
        try {
          ASN1Obj.parseBuffer(Buffer.from(bytes));
        } catch {
          // That it is none is told by the library.
        }
        // Of each value at most its tag, the first byte of its length, and six more.
        expect(getUint8.mock.calls.length).toBeLessThanOrEqual(8 * derSteps(bytes));
        read += getUint8.mock.calls.length;
      }),
      { numRuns: runs(300, 20_000) },
    );
    expect(read).toBeGreaterThan(0);
    getUint8.mockRestore();
  });

  it('are counted before a bundle or a trusted root is read', () => {
    const bundle = messageBundle(leaf(), ARTIFACT);
    const attack = busy(60_000).toString('base64');
    const certified = edited(bundle, (copy: Loose) =>
      Object.assign(material(copy), { certificate: { rawBytes: attack } }),
    );
    const stamped = edited(bundle, (copy: Loose) => {
      const rfc3161Timestamps = [{ signedTimestamp: attack }];
      Object.assign(material(copy), { timestampVerificationData: { rfc3161Timestamps } });
    });
    for (const hostile of [certified, stamped]) expect(refusal(hostile)).toBe('material MATERIAL_MALFORMED');
    expectCode(() => readTrustedRoot(ownRoot({ chain: [busy(60_000)] }), 'own'), 'TRUSTED_ROOT_MALFORMED');
  });
});
