import { expect, it } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import { DaemonEyeError } from '../../../../src/core/errors.ts';
import { runs } from '../../../support/slow.ts';
import { judge } from './judging.ts';
import { armor, certificate, clearsigned, DAY, ed25519, packet, rsa, say, signature, subkey } from './making.ts';

const OURS = ed25519('ours');
const SUB = ed25519('sub');
const RSA = rsa(2048);
const DATA = utf8('a release of some bytes\n');
const TEXT = 'Origin: us\n- a list\nSHA256:\n aa 1 b\n';

/** Everything that may be asked of a keyring, a file of signatures and the data. */
type Case = { readonly ring: Uint8Array; readonly signature: Uint8Array; readonly data: Uint8Array };
const CASES: Readonly<Record<string, Case>> = {
  Ed25519: { ring: certificate(OURS), signature: packet(2, signature(OURS, DATA)), data: DATA },
  RSA: { ring: certificate(RSA), signature: packet(2, signature(RSA, DATA, { hash: 8 })), data: DATA },
  'a subkey': {
    ring: certificate(OURS, { self: { more: [say.keyLifetime(90 * DAY)] }, tail: [subkey(OURS, SUB)] }),
    signature: utf8(armor('PGP SIGNATURE', packet(2, signature(SUB, DATA)))),
    data: DATA,
  },
  'a cleartext': { ring: certificate(OURS), signature: utf8(clearsigned(OURS, TEXT)), data: new Uint8Array() },
};

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** What is trusted: the check, and the text. An error of ours is a refusal; any other is a bug. */
async function trusted({ ring, signature: bytes, data }: Case) {
  try {
    const { check, verdict, embedded } = await judge(bytes, ring, data);
    return verdict === 'trusted' ? { check, text: Buffer.from(embedded ?? data).toString('latin1') } : undefined;
  } catch (error) {
    if (error instanceof DaemonEyeError) return undefined;
    throw error;
  }
}

for (const [name, whole] of Object.entries(CASES)) {
  it(`no flipped bit of a signature or of what is signed is accepted: ${name}`, async () => {
    const said = await trusted(whole);
    expect(said).toBeDefined();
    const parts = (['signature', 'data'] as const).filter((part) => whole[part].length > 0);
    const bits = parts.flatMap((part) =>
      Array.from({ length: whole[part].length * 8 }, (_, bit) => [part, bit] as const),
    );
    const step = runs(7, 1);
    for (const [part, bit] of bits.filter((_, i) => i % step === 0)) {
      const now = await trusted({ ...whole, [part]: flipped(whole[part], bit) });
      // White space at the end of a line is nobody's: it may change, if what is read stays the same.
      if (now !== undefined)
        expect([part, bit, now]).toEqual(['signature', bit, name === 'a cleartext' ? said : 'refused']);
    }
  });

  it(`no flipped bit of a keyring changes who signed, with what or until when: ${name}`, async () => {
    const { ring } = whole;
    const said = await trusted(whole);
    const step = runs(31, 1);
    for (let bit = 0; bit < ring.length * 8; bit += step) {
      const now = await trusted({ ...whole, ring: flipped(ring, bit) });
      // Hints that nobody signed may change, and nothing follows from them.
      if (now !== undefined) expect([bit, now]).toEqual([bit, said]);
    }
  });
}
