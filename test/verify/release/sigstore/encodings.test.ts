import { X509Certificate } from '@sigstore/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keepEncodings } from '../../../../src/verify/release/sigstore/encodings.ts';
import { PUBLIC_GOOD_ROOT } from '../../../../src/verify/release/sigstore/public-good-root.ts';
import { der, octets, oid, sequence, text, yes } from '../../../support/der.ts';
import { authority, extension, leaf } from '../../../support/sigstore-authority.ts';
import { runs } from '../../../support/slow.ts';

const shipped = (
  JSON.parse(PUBLIC_GOOD_ROOT) as { certificateAuthorities: { certChain: { certificates: { rawBytes: string }[] } }[] }
).certificateAuthorities
  .flatMap(({ certChain }) => certChain.certificates)
  .map(({ rawBytes }) => Buffer.from(rawBytes, 'base64'));

/** What the library writes of both, and what they stand for afterwards. */
function bothWays(given: Uint8Array): void {
  const bytes = Buffer.from(given);
  const written = X509Certificate.parse(bytes);
  const kept = X509Certificate.parse(bytes);
  keepEncodings(kept, bytes);
  expect(kept.root.toDER()).toEqual(written.root.toDER());
  expect(kept.tbsCertificate.toDER()).toEqual(written.tbsCertificate.toDER());
}

describe('the bytes that a certificate stands for', () => {
  it.each(shipped.map((bytes, i) => [i, bytes] as const))(
    'are those that the library writes, of authority %i',
    (_, bytes) => {
      bothWays(bytes);
    },
  );

  it.each([
    ['as it is', leaf().der],
    ['of an authority', authority()],
    ['with octets that look like DER', leaf({ extra: [extension('1.2.3', octets(octets(text('x')), yes))] }).der],
    ['with octets that almost do', leaf({ extra: [extension('1.2.3', Buffer.from([0x30, 0x81, 0x02, 0, 0]))] }).der],
    ['with nothing in an extension', leaf({ extra: [sequence(oid('1.2.3'), der(0x04))] }).der],
    ['with a long extension', leaf({ extra: [extension('1.2.3', Buffer.alloc(40_000, 0x05))] }).der],
  ])('are those that the library writes, %s', (_, bytes) => bothWays(bytes));

  it('are those that the library writes of whatever it reads', () => {
    const bytes = leaf().der;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        try {
          X509Certificate.parse(changed).root.toDER();
          if (X509Certificate.parse(changed).root.subs.length === 0) return;
        } catch {
          return;
        }
        bothWays(changed);
      }),
      { numRuns: runs(300, 20_000) },
    );
  });
});
