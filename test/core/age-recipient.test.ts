import { createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAgeRecipient } from '../../src/core/age-recipient.ts';
import { concatBytes, encodeHex, parseHex } from '../../src/core/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { runs } from '../support/slow.ts';

/** From the age specification and its README. */
const KNOWN = [
  'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
  'age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg',
  'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj',
];

const takenByAge = (recipient: string): boolean => {
  try {
    new Encrypter().addRecipient(recipient);
    return true;
  } catch {
    return false;
  }
};
const takenHere = (recipient: string): boolean => {
  try {
    parseAgeRecipient(recipient);
    return true;
  } catch {
    return false;
  }
};

describe('an age recipient', () => {
  it.each(KNOWN)('%s is taken', (recipient) => {
    expect(parseAgeRecipient(recipient)).toHaveLength(32);
    expect(takenByAge(recipient)).toBe(true);
  });

  it('is taken as age makes it, whatever the key', async () => {
    for (let i = 0; i < runs(20, 500); i++) {
      expect(parseAgeRecipient(await identityToRecipient(await generateX25519Identity()))).toHaveLength(32);
    }
  });

  it('holds the X25519 key that age means: what is spelled again from it is the same', () => {
    for (const recipient of KNOWN) expect(spell(parseAgeRecipient(recipient))).toBe(recipient);
  });

  it('with any one character changed is refused, as by age: the checksum finds it', () => {
    const [recipient = ''] = KNOWN;
    const characters = fc.constantFrom(...'qpzry9x8gf2tvdw0s3jn54khce6mua7l1AQ-');
    fc.assert(
      fc.property(fc.nat(recipient.length - 1), characters, (at, character) => {
        fc.pre(recipient[at] !== character);
        const changed = recipient.slice(0, at) + character + recipient.slice(at + 1);
        expectCode(() => parseAgeRecipient(changed), 'RECIPIENT_MALFORMED');
        expect(takenByAge(changed)).toBe(false);
      }),
      { numRuns: runs(300, 20_000) },
    );
  });

  it('that is random text is refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `age1${text}`),
        ),
        (text) => {
          expect(takenHere(text)).toBe(false);
        },
      ),
      { numRuns: runs(200, 20_000) },
    );
  });

  it.each([
    ['nothing', ''],
    ['a private key', 'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX'],
    ['in capitals', KNOWN[0]?.toUpperCase() ?? ''],
    ['with a space after it', `${KNOWN[0]} `],
    ['two at once', `${KNOWN[0]},${KNOWN[1]}`],
    ['an SSH key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN'],
    ['a recipient of a plugin', 'age1yubikey1qwt50d05nh5vutpdzmlg5wn80xq5negm4uj9ghv0snvdd3yysf5yw3rhl3t'],
    ['a post-quantum one, which older tools cannot seal to', `age1pq1${'q'.repeat(1000)}`],
    ['31 bytes', spell(new Uint8Array(31).fill(9))],
    ['33 bytes', spell(new Uint8Array(33).fill(9))],
    ['bits left over that are set', spell(new Uint8Array(32).fill(9), 1)],
  ])('%s is refused', (_what, text) => expectCode(() => parseAgeRecipient(text), 'RECIPIENT_MALFORMED'));
});

describe('a point that everybody knows the shared secret with', () => {
  const P = 2n ** 255n - 19n;
  const bytesOf = (u: bigint) => parseHex(u.toString(16).padStart(64, '0')).toReversed();
  const order8 = 325606250916557431795983626356110631294008115727848805560023387167927233504n;
  const other8 = 39382357235489614581723060781553021112529911719440698176882885853963445705823n;

  it.each([0n, 1n, order8, other8, P - 1n, P, P + 1n, 2n ** 255n, 2n ** 255n + 1n])('%i is refused', (u) => {
    const raw = bytesOf(u);
    expectCode(() => parseAgeRecipient(spell(raw)), 'RECIPIENT_MALFORMED');
    // Not because the list says so: OpenSSL finds the same.
    const publicKey = createPublicKey({
      key: Buffer.from(concatBytes(parseHex('302a300506032b656e032100'), raw)),
      format: 'der',
      type: 'spki',
    });
    expect(() => diffieHellman({ privateKey: generateKeyPairSync('x25519').privateKey, publicKey })).toThrow();
  });

  it.each([9n, 2n, P - 2n])('%i is none of them', (u) => {
    expect(encodeHex(parseAgeRecipient(spell(bytesOf(u))))).toBe(encodeHex(bytesOf(u)));
  });

  it('in a second spelling is refused, though it could be encrypted to', () => {
    expectCode(() => parseAgeRecipient(spell(bytesOf(P + 9n))), 'RECIPIENT_MALFORMED');
    expectCode(() => parseAgeRecipient(spell(bytesOf(2n ** 255n + 9n))), 'RECIPIENT_MALFORMED');
  });
});

/** Bech32 as BIP 173 writes its reference in Python, for any bytes. @param rest what the bits left over hold */
function spell(key: Uint8Array, rest = 0): string {
  const alphabet = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
  const bits = [...key].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const padding = (5 - (bits.length % 5)) % 5;
  const values = (bits + rest.toString(2).padStart(padding, '0').slice(0, padding)).match(/.{5}/g) ?? [];
  const data = values.map((five) => Number.parseInt(five, 2));
  const prefix = [...'age'].map((letter) => letter.charCodeAt(0));
  let sum = 1;
  for (const value of [...prefix.map((c) => c >> 5), 0, ...prefix.map((c) => c & 31), ...data, 0, 0, 0, 0, 0, 0]) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [i, term] of [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].entries()) {
      if ((top >>> i) & 1) sum ^= term;
    }
  }
  sum ^= 1;
  const check = [0, 1, 2, 3, 4, 5].map((i) => (sum >>> (5 * (5 - i))) & 31);
  return `age1${[...data, ...check].map((value) => alphabet[value]).join('')}`;
}
