import { describe, expect, it } from 'vitest';
import { encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { addDetachedSignature, parseDetachedSignature } from '../../src/core/detached-signature.ts';
import { type Envelope, preAuthEncoding, signEnvelope, signingKeys } from '../../src/core/dsse.ts';
import { signWithKey } from '../../src/core/keys.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';

const [A, B] = [testKey('a'), testKey('b')];
const unsigned: Envelope = { payloadType: 'text/plain', payload: utf8('hello'), signatures: [] };
const toSign = preAuthEncoding(unsigned.payloadType, unsigned.payload);
const signature = signWithKey(A, toSign);

describe('a signature in a file', () => {
  const base64 = encodeBase64(signature);
  it.each([
    ['raw', signature],
    ['in base64', utf8(base64)],
    ['in base64 with a line break after it', utf8(`${base64}\n`)],
    ['in base64 as Windows ends lines', utf8(`${base64}\r\n`)],
    ['in base64 as openssl breaks lines', utf8(`${base64.slice(0, 64)}\n${base64.slice(64)}\n`)],
  ])('%s is read', (_how, bytes) => expect(parseDetachedSignature(bytes)).toEqual(signature));

  it.each([
    ['empty', new Uint8Array()],
    ['a byte short', signature.slice(1)],
    ['a byte long', new Uint8Array([...signature, 10])],
    ['in hexadecimal', utf8(Buffer.from(signature).toString('hex'))],
    ['in base64 for URLs', utf8(`-_${base64.slice(2)}`)],
    ['in base64 without padding', utf8(base64.slice(0, -2))],
    ['in base64 with spare bits', utf8(`${base64.slice(0, -3)}/==`)],
    ['of another length in base64', utf8(encodeBase64(signature.slice(1)))],
    ['in an ASN.1 wrapping', new Uint8Array([4, 64, ...signature])],
    ['no text', Uint8Array.of(0xff, 0xfe, 0xfd)],
  ])('that is %s is refused', (_how, bytes) => {
    expectCode(() => parseDetachedSignature(bytes), 'SIGNATURE_MALFORMED');
  });
});

describe('adding a signature made elsewhere', () => {
  it('counts like one made here', () => {
    const signed = addDetachedSignature(unsigned, A.publicKey, signature);
    expect(signed).toEqual(signEnvelope(unsigned, A));
  });

  it('replaces a worthless one under its keyid', () => {
    const worthless = { ...unsigned, signatures: [{ keyid: A.publicKey.keyid, sig: new Uint8Array(64) }] };
    const signed = addDetachedSignature(worthless, A.publicKey, signature);
    expect(signed.signatures).toHaveLength(1);
    expect(signingKeys(signed, [A.publicKey])).toHaveLength(1);
  });

  it.each<[string, () => unknown]>([
    ['by another key', () => addDetachedSignature(unsigned, B.publicKey, signature)],
    [
      'over another document',
      () => addDetachedSignature({ ...unsigned, payload: utf8('hallo') }, A.publicKey, signature),
    ],
    [
      'over another type',
      () => addDetachedSignature({ ...unsigned, payloadType: 'text/html' }, A.publicKey, signature),
    ],
    ['of zeros', () => addDetachedSignature(unsigned, A.publicKey, new Uint8Array(64))],
  ])('is refused when it is one %s', (_what, add) => expectCode(add, 'BAD_SIGNATURE'));

  it('is refused over the payload alone, and that is said', () => {
    const add = () => addDetachedSignature(unsigned, A.publicKey, signWithKey(A, unsigned.payload));
    expectCode(add, 'BAD_SIGNATURE');
    expect(add).toThrow(/sign exactly what --print-pae writes/);
  });

  it('is refused a second time', () => {
    const signed = signEnvelope(signEnvelope(unsigned, A), B);
    expectCode(() => addDetachedSignature(signed, A.publicKey, signature), 'SIGNATURE_DUPLICATE');
  });
});
