import { generateKeyPairSync, verify as nodeVerify } from 'node:crypto';
import * as noble from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { encodeBase64, encodeHex, parseHex, utf8 } from '../../src/core/bytes.ts';
import { sha256 } from '../../src/core/digest.ts';
import { assertSafePublicKey, ed25519KeyObject, ed25519Spki, verifyEd25519 } from '../../src/core/ed25519.ts';
import {
  formatPrivateKey,
  type PrivateKey,
  parsePrivateKey,
  parsePublicKey,
  publicKeyFromSpki,
  signWithKey,
  verifyWithKey,
} from '../../src/core/keys.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';

const pemOf = (spki: Uint8Array) => `-----BEGIN PUBLIC KEY-----\n${encodeBase64(spki)}\n-----END PUBLIC KEY-----\n`;

const { Point } = noble;

/** The eight points of low order, in every encoding a lax decoder takes ("Taming the many EdDSAs", table 1). */
const LOW_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '0000000000000000000000000000000000000000000000000000000000000000',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
];
const NON_CANONICAL = [
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];
const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

describe('public keys', () => {
  const { publicKey } = testKey('a');

  it('takes what openssl writes, and the keyid is the digest of the SPKI', () => {
    const spki = ed25519Spki(publicKey.raw);
    expect(parsePublicKey(publicKey.pem)).toEqual(publicKey);
    expect(publicKey.keyid).toBe(encodeHex(sha256(spki)));
    expect(publicKeyFromSpki(spki)).toEqual(publicKey);
  });

  it.each(LOW_ORDER)('refuses the low-order point %s', (hex) => {
    expect(() => parsePublicKey(pemOf(ed25519Spki(parseHex(hex))))).toThrow();
    expectCode(() => assertSafePublicKey(parseHex(hex)), 'KEY_LOW_ORDER');
  });

  it.each(NON_CANONICAL)('refuses the second spelling %s', (hex) => {
    expectCode(() => assertSafePublicKey(parseHex(hex)), 'KEY_NOT_CANONICAL');
  });

  it('refuses a mixed-order key', () => {
    const torsion = Point.fromBytes(parseHex(LOW_ORDER[4] ?? ''), false);
    const mixed = Point.fromBytes(publicKey.raw, false).add(torsion).toBytes();
    expectCode(() => parsePublicKey(pemOf(ed25519Spki(mixed))), 'KEY_MIXED_ORDER');
    // What was found out about a key is remembered: of a bad one nothing, and of a good one not the array it came in.
    expectCode(() => parsePublicKey(pemOf(ed25519Spki(mixed))), 'KEY_MIXED_ORDER');
    const good = parsePublicKey(testKey('a').publicKey.pem);
    good.raw.set(mixed);
    expectCode(() => parsePublicKey(pemOf(ed25519Spki(mixed))), 'KEY_MIXED_ORDER');
    expect(parsePublicKey(testKey('a').publicKey.pem).raw).toEqual(testKey('a').publicKey.raw);
  });

  it('refuses a point that is not on the curve', () => {
    expectCode(() => assertSafePublicKey(parseHex(`02${'00'.repeat(31)}`)), 'KEY_NOT_CANONICAL');
  });

  it.each([
    ['a private key', () => formatPrivateKey(testKey('a').handle), 'KEY_WRONG_HALF'],
    ['text', () => 'hello', 'KEY_MALFORMED'],
    ['two keys in one file', () => publicKey.pem + publicKey.pem, 'KEY_MALFORMED'],
    ['base64 with spare bits', () => pemOf(ed25519Spki(publicKey.raw)).replace('=', ''), 'KEY_MALFORMED'],
    ['DER that is no key', () => pemOf(Uint8Array.of(1, 2, 3)), 'KEY_MALFORMED'],
    ['a key with a byte too many', () => pemOf(Uint8Array.of(...ed25519Spki(publicKey.raw), 0)), 'KEY_MALFORMED'],
    ['an EC key', () => ecPem(), 'KEY_ALGORITHM'],
    ['an RSA key', () => rsaPem(), 'KEY_ALGORITHM'],
    ['an X25519 key', () => x25519Pem(), 'KEY_ALGORITHM'],
  ])('refuses %s', (_what, pem, code) => expectCode(() => parsePublicKey(pem()), code));
});

const spkiPem = { type: 'spki', format: 'pem' } as const;
const ecPem = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export(spkiPem).toString();
const rsaPem = () => generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export(spkiPem).toString();
const x25519Pem = () => generateKeyPairSync('x25519').publicKey.export(spkiPem).toString();

describe('private keys', () => {
  const key = testKey('a');

  it('go out and come back, plain and encrypted', () => {
    expect(parsePrivateKey(formatPrivateKey(key.handle)).publicKey).toEqual(key.publicKey);
    expect(parsePrivateKey(formatPrivateKey(key.handle, 'secret'), 'secret').publicKey).toEqual(key.publicKey);
  });

  it.each([
    ['an encrypted one without passphrase', () => parsePrivateKey(formatPrivateKey(key.handle, 'x')), 'KEY_ENCRYPTED'],
    ['a wrong passphrase', () => parsePrivateKey(formatPrivateKey(key.handle, 'x'), 'y'), 'KEY_PASSPHRASE'],
    ['a public key', () => parsePrivateKey(key.publicKey.pem), 'KEY_WRONG_HALF'],
    ['text', () => parsePrivateKey('hello'), 'KEY_MALFORMED'],
    [
      'a damaged one',
      () => parsePrivateKey(formatPrivateKey(key.handle).replace(/\n(.{8})/, '\nAAAAAAAA')),
      'KEY_MALFORMED',
    ],
    [
      'an RSA key',
      () => {
        const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
        return parsePrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
      },
      'KEY_ALGORITHM',
    ],
  ])('refuses %s', (_what, action, code) => expectCode(action, code));
});

describe('signatures of documents', () => {
  const key = testKey('a');
  const message = utf8('message');
  const signature = signWithKey(key, message);

  it('verify, and nothing else does', () => {
    expect(verifyWithKey(key.publicKey, message, signature)).toBe(true);
    expect(verifyWithKey(key.publicKey, utf8('messagf'), signature)).toBe(false);
    expect(verifyWithKey(testKey('b').publicKey, message, signature)).toBe(false);
    for (let bit = 0; bit < signature.length * 8; bit += 7) {
      const altered = signature.slice();
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(verifyWithKey(key.publicKey, message, altered)).toBe(false);
    }
  });

  it('verify again and again, and still nothing else does, however the same bytes are cut', () => {
    const again = () => expect(verifyWithKey(key.publicKey, message, signature)).toBe(true);
    again();
    again();
    const { raw } = key.publicKey;
    const [first = 0, ...rest] = message;
    expect(verifyEd25519(raw, Uint8Array.from(rest), Uint8Array.of(...signature, first))).toBe(false);
    expect(verifyEd25519(raw, Uint8Array.of(signature[63] ?? 0, ...message), signature.slice(0, 63))).toBe(false);
    expect(verifyEd25519(Uint8Array.of(...raw, signature[0] ?? 0), message, signature.slice(1))).toBe(false);
    expect(verifyEd25519(raw, utf8('messagf'), signature)).toBe(false);
    again();
  });

  it('refuses a signature whose S was raised by the group order (malleability, RFC 8032 section 8.4)', () => {
    const s = BigInt(`0x${encodeHex(signature.slice(32).reverse())}`) + GROUP_ORDER;
    const raised = parseHex(s.toString(16).padStart(64, '0')).reverse();
    expect(verifyWithKey(key.publicKey, message, Uint8Array.of(...signature.slice(0, 32), ...raised))).toBe(false);
  });

  it.each([0, 32, 63, 65, 128])('refuses %i bytes', (length) => {
    expect(verifyWithKey(key.publicKey, message, new Uint8Array(length))).toBe(false);
  });

  it('takes no forgery under a low-order key, though a lax verifier does (so such keys are refused when loaded)', () => {
    // The identity as key: R = identity, S = 0 is a signature of every message.
    const identity = parseHex(LOW_ORDER[0] ?? '');
    const forged = Uint8Array.of(...identity, ...new Uint8Array(32));
    expect(noble.verify(forged, utf8('anything'), identity)).toBe(true);
    expect(verifyEd25519(identity, utf8('anything'), forged)).toBe(false);
  });

  it('takes no signature about which the two verifiers differ', () => {
    // The signer adds a torsion point to R: cofactored verification (noble) accepts it, cofactorless (OpenSSL) does not.
    const { scalar } = noble.utils.getExtendedPublicKey(seedOf(key));
    const nonce = 7n;
    const torsion = Point.fromBytes(parseHex(LOW_ORDER[4] ?? ''), false);
    const r = Point.BASE.multiply(nonce).add(torsion).toBytes();
    const k = fromLittleEndian(sha512(Uint8Array.of(...r, ...key.publicKey.raw, ...message)));
    const s = (nonce + k * scalar) % GROUP_ORDER;
    const signature = Uint8Array.of(...r, ...parseHex(s.toString(16).padStart(64, '0')).reverse());
    expect(noble.verify(signature, message, key.publicKey.raw, { zip215: false })).toBe(true);
    expect(nodeVerify(null, message, ed25519KeyObject(key.publicKey.raw), signature)).toBe(false);
    expect(verifyWithKey(key.publicKey, message, signature)).toBe(false);
  });
});

function seedOf({ handle }: PrivateKey): Uint8Array {
  return new Uint8Array(handle.export({ format: 'der', type: 'pkcs8' }).subarray(-32));
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${encodeHex(bytes.slice().reverse())}`);
}
