import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeBase64, utf8 } from '../../src/core/bytes.ts';
import {
  type Envelope,
  encodeEnvelope,
  parseEnvelope,
  preAuthEncoding,
  signEnvelope,
  signingKeys,
  withSignature,
} from '../../src/core/dsse.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';

const TYPE = 'application/vnd.daemoneye.test+json';
const empty: Envelope = { payloadType: TYPE, payload: utf8('{"a":1}'), signatures: [] };
const [a, b] = [testKey('a'), testKey('b')];
const keys = [a.publicKey, b.publicKey];
const json = (envelope: Envelope) => JSON.parse(decodeUtf8(encodeEnvelope(envelope)));
const parse = (value: unknown) => parseEnvelope(utf8(JSON.stringify(value)), TYPE);

describe('DSSE envelopes', () => {
  it('encode before signing as the protocol shows', () => {
    expect(decodeUtf8(preAuthEncoding('http://example.com/HelloWorld', utf8('hello world')))).toBe(
      'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
    );
  });

  it('are the same bytes whoever signed first', () => {
    const one = encodeEnvelope(signEnvelope(signEnvelope(empty, a), b));
    expect(encodeEnvelope(signEnvelope(signEnvelope(empty, b), a))).toEqual(one);
    expect(encodeEnvelope(signEnvelope(parseEnvelope(one, TYPE), a))).toEqual(one);
    expect(signingKeys(parseEnvelope(one, TYPE), keys)).toEqual(keys);
  });

  it('count a key once, however often its signature is listed', () => {
    const signed = signEnvelope(empty, a);
    const doubled = { ...signed, signatures: [...signed.signatures, ...signed.signatures] };
    expect(signingKeys(doubled, keys)).toEqual([a.publicKey]);
  });

  it('do not count a signature under a keyid that is not its key', () => {
    const [signature] = signEnvelope(empty, a).signatures;
    const renamed = withSignature(empty, { keyid: b.publicKey.keyid, sig: signature?.sig ?? new Uint8Array() });
    expect(signingKeys(renamed, keys)).toEqual([]);
  });

  it('do not carry a signature over to another type or payload', () => {
    const signed = signEnvelope(empty, a);
    expect(signingKeys({ ...signed, payloadType: `${TYPE}x` }, keys)).toEqual([]);
    expect(signingKeys({ ...signed, payload: utf8('{"a":2}') }, keys)).toEqual([]);
  });

  it.each([
    ['another payload type', (e: ReturnType<typeof json>) => ({ ...e, payloadType: 'text/plain' }), 'PAYLOAD_TYPE'],
    ['an unknown field', (e: ReturnType<typeof json>) => ({ ...e, extra: 1 }), 'ENVELOPE_MALFORMED'],
    ['no payload', ({ payload: _, ...e }: ReturnType<typeof json>) => e, 'ENVELOPE_MALFORMED'],
    [
      'base64 with a line break',
      (e: ReturnType<typeof json>) => ({ ...e, payload: `${e.payload}\n` }),
      'ENVELOPE_MALFORMED',
    ],
    ['URL-safe base64', (e: ReturnType<typeof json>) => ({ ...e, payload: '-_8=' }), 'ENVELOPE_MALFORMED'],
    ['spare bits in base64', (e: ReturnType<typeof json>) => ({ ...e, payload: 'QR==' }), 'ENVELOPE_MALFORMED'],
    [
      'a short signature',
      (e: ReturnType<typeof json>) => withSig(e, encodeBase64(new Uint8Array(63))),
      'ENVELOPE_MALFORMED',
    ],
    [
      'signatures that are not a list',
      (e: ReturnType<typeof json>) => ({ ...e, signatures: {} }),
      'ENVELOPE_MALFORMED',
    ],
    [
      '65 signatures',
      (e: ReturnType<typeof json>) => ({ ...e, signatures: Array(65).fill(e.signatures[0]) }),
      'ENVELOPE_MALFORMED',
    ],
  ])('are refused with %s', (_what, alter, code) => {
    expectCode(() => parse(alter(json(signEnvelope(empty, a)))), code);
  });

  function withSig(envelope: ReturnType<typeof json>, sig: string) {
    return { ...envelope, signatures: [{ ...envelope.signatures[0], sig }] };
  }

  it('are refused over the size limit before they are parsed', () => {
    expectCode(() => parseEnvelope(new Uint8Array(1024 * 1024 + 1), TYPE), 'ENVELOPE_TOO_LARGE');
  });

  it('with any byte changed are refused, lose a signature, or hold the same', () => {
    const bytes = encodeEnvelope(signEnvelope(signEnvelope(empty, a), b));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const altered = bytes.slice();
        altered[at] = (altered[at] ?? 0) ^ flip;
        let envelope: Envelope;
        try {
          envelope = parseEnvelope(altered, TYPE);
        } catch (error) {
          expect(error).toHaveProperty('code');
          return;
        }
        expect(signingKeys(envelope, keys).length).toBeLessThan(2);
      }),
      { numRuns: runs(300, 20_000) },
    );
  });
});
