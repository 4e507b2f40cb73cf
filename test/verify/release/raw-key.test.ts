import { generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeBase64, utf8 } from '../../../src/core/bytes.ts';
import { signWithKey } from '../../../src/core/keys.ts';
import { messageOfBytes } from '../../../src/verify/release/message.ts';
import { verifyRaw } from '../../../src/verify/release/raw-key.ts';
import { parseReleaseKey } from '../../../src/verify/release/release-key.ts';
import { expectCode } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';

const DATA = utf8('a release\n');
const MESSAGE = messageOfBytes('tool.tar', DATA);
const OURS = testKey('release');

function pem(der: Uint8Array): string {
  const lines = encodeBase64(der).match(/.{1,64}/g) ?? [];
  return `-----BEGIN PUBLIC KEY-----\n${lines.join('\n')}\n-----END PUBLIC KEY-----\n`;
}

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const p256 = ec('P-256');
const spki = new Uint8Array(p256.publicKey.export({ format: 'der', type: 'spki' }));
const KEY = parseReleaseKey(utf8(pem(spki)));
const good = new Uint8Array(nodeSign('sha256', DATA, p256.privateKey));

describe('a signature by an openssl key', () => {
  it('of Ed25519 is accepted, as bytes and in base64', () => {
    const key = parseReleaseKey(utf8(OURS.publicKey.pem));
    const signature = signWithKey(OURS, DATA);
    expect(verifyRaw(MESSAGE, signature, key)).toEqual({ keyid: OURS.publicKey.keyid, role: 'key' });
    expect(verifyRaw(MESSAGE, utf8(`${encodeBase64(signature)}\n`), key).role).toBe('key');
    expectCode(() => verifyRaw(messageOfBytes('x', utf8('x')), signature, key), 'RAW_SIGNATURE');
    expectCode(() => verifyRaw(MESSAGE, signature.slice(1), key), 'RAW_MALFORMED');
    expectCode(() => verifyRaw(MESSAGE, concatBytes(signature, Uint8Array.of(10)), key), 'RAW_MALFORMED');
  });

  it.each(['P-256', 'P-384'])('of %s is accepted, as DER and in base64', (curve) => {
    const { publicKey, privateKey } = ec(curve);
    const key = parseReleaseKey(utf8(publicKey.export({ format: 'pem', type: 'spki' }).toString()));
    const signature = new Uint8Array(nodeSign('sha256', DATA, privateKey));
    expect(verifyRaw(MESSAGE, signature, key)).toEqual({ keyid: key.keyid, role: 'key' });
    expect(verifyRaw(MESSAGE, utf8(`${encodeBase64(signature)}\n`), key).role).toBe('key');
  });

  const [r, s] = [good.slice(4, 4 + (good[3] ?? 0)), good.slice(4 + (good[3] ?? 0))];
  it.each<[string, Uint8Array, string]>([
    ['over another file', new Uint8Array(nodeSign('sha256', utf8('x'), p256.privateKey)), 'RAW_SIGNATURE'],
    ['of another key', new Uint8Array(nodeSign('sha256', DATA, ec('P-256').privateKey)), 'RAW_SIGNATURE'],
    ['over another hash', new Uint8Array(nodeSign('sha384', DATA, p256.privateKey)), 'RAW_SIGNATURE'],
    ['with a byte after it', concatBytes(good, Uint8Array.of(0)), 'RAW_SIGNATURE'],
    [
      'with a number padded',
      concatBytes(Uint8Array.of(0x30, (good[1] ?? 0) + 1, 2, r.length + 1, 0), r, s),
      'RAW_SIGNATURE',
    ],
    ['with a length in two bytes', concatBytes(Uint8Array.of(0x30, 0x81), good.slice(1)), 'RAW_SIGNATURE'],
    ['of zeros', Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 0), 'RAW_SIGNATURE'],
    ['cut short', good.slice(0, -1), 'RAW_SIGNATURE'],
    ['in IEEE form', new Uint8Array(64).fill(0x31), 'RAW_MALFORMED'],
    ['that is text', utf8('not a signature\n'), 'RAW_MALFORMED'],
    ['that is empty', new Uint8Array(), 'RAW_MALFORMED'],
    ['of 100 MB', new Uint8Array(100_000_000), 'MATERIAL_TOO_LARGE'],
  ])('%s is refused', (_, signature, code) => {
    expectCode(() => verifyRaw(MESSAGE, signature, KEY), code);
  });

  it('of a file too large for memory is checked by its hash, or refused in a sentence', () => {
    const { bytes: _, ...large } = MESSAGE;
    expect(verifyRaw(large, good, KEY).role).toBe('key');
    const ed25519 = parseReleaseKey(utf8(OURS.publicKey.pem));
    expectCode(() => verifyRaw(large, signWithKey(OURS, DATA), ed25519), 'MESSAGE_TOO_LARGE');
  });

  it('of RSA is accepted, as bytes and in base64', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = parseReleaseKey(utf8(publicKey.export({ format: 'pem', type: 'spki' }).toString()));
    const signature = new Uint8Array(nodeSign('sha256', DATA, privateKey));
    expect(verifyRaw(MESSAGE, signature, key).keyid).toBe(key.keyid);
    expect(verifyRaw(MESSAGE, utf8(encodeBase64(signature)), key).keyid).toBe(key.keyid);
    expectCode(() => verifyRaw(messageOfBytes('x', utf8('x')), signature, key), 'RAW_SIGNATURE');
  });
});

describe('an openssl key', () => {
  const offCurve = spki.slice();
  offCurve[offCurve.length - 1] = (offCurve.at(-1) ?? 0) ^ 1;
  it.each<[string, string, string]>([
    [
      'on another curve',
      pem(new Uint8Array(ec('secp256k1').publicKey.export({ format: 'der', type: 'spki' }))),
      'KEY_REFUSED',
    ],
    [
      'of RSA with 1024 bits',
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'pem', type: 'spki' }).toString(),
      'KEY_REFUSED',
    ],
    ['off its curve', pem(offCurve), 'KEY_REFUSED'],
    ['with bytes after it', pem(concatBytes(spki, Uint8Array.of(0))), 'KEY_REFUSED'],
    ['twice', pem(spki) + pem(spki), 'KEY_REFUSED'],
    ['that is private', p256.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), 'KEY_REFUSED'],
    ['cut short', pem(spki.slice(0, -9)), 'KEY_REFUSED'],
    ['that is empty', '', 'KEY_REFUSED'],
    ['with a NUL', `${pem(spki)}\0`, 'KEY_REFUSED'],
  ])('%s is refused', (_, text, code) => {
    expectCode(() => parseReleaseKey(utf8(text)), code);
  });
});
