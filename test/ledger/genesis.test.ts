import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, encodeBase64, utf8 } from '../../src/core/bytes.ts';
import { sha256Digest } from '../../src/core/digest.ts';
import { encodeEnvelope, parseEnvelope, signEnvelope } from '../../src/core/dsse.ts';
import { canonicalJson } from '../../src/core/jcs.ts';
import { encodeGenesis, parseGenesis } from '../../src/ledger/genesis.ts';
import { expectCode } from '../support/expect-code.ts';
import { testKey } from '../support/keys.ts';
import { runs } from '../support/slow.ts';

const type = 'application/vnd.daemoneye.genesis+json';
const key = testKey('log');
const options = {
  host: 'h-1',
  origin: 'x.example/h-1/log',
  hash: 'blake3',
  key,
  createdAt: '2026-01-01T00:00:00.000Z',
} as const;
const bytes = encodeGenesis(options);
const payload = parseEnvelope(bytes, type).payload;
const json = JSON.parse(decodeUtf8(payload));

/** The same document with other contents, properly signed by some key. */
function forge(change: object, signer = key): Uint8Array {
  const changed = utf8(canonicalJson({ ...json, ...change }));
  return encodeEnvelope(signEnvelope({ payloadType: type, payload: changed, signatures: [] }, signer));
}

describe('a genesis', () => {
  it('says what a log is, and is its identity', () => {
    expect(json).toEqual({
      v: 1,
      host: 'h-1',
      origin: options.origin,
      hash: 'blake3',
      key: { keyid: key.publicKey.keyid, pem: key.publicKey.pem },
      createdAt: options.createdAt,
      limits: { line: 65_535, rotate: 65_536 },
    });
    const genesis = parseGenesis(bytes);
    expect(genesis.digest).toBe(sha256Digest(payload));
    expect(genesis.key).toEqual(key.publicKey);
    expect(encodeGenesis(options)).toEqual(bytes);
  });

  it.each([
    ['of a later version', { v: 2 }],
    ['with an unknown field', { more: 1 }],
    ['of an unknown hash', { hash: 'md5' }],
    ['with longer lines', { limits: { line: 65_536, rotate: 65_536 } }],
    ['with a key id that is not its key’s', { key: { ...json.key, keyid: '0'.repeat(64) } }],
    ['with a PEM in another spelling', { key: { ...json.key, pem: `${json.key.pem}\n` } }],
    ['without a key', { key: {} }],
    ['with a space in the origin', { origin: 'a b' }],
  ])('%s is refused, however well signed', (_, change) => {
    expectCode(() => parseGenesis(forge(change)), 'GENESIS_MALFORMED');
  });

  it('that another key signed is refused', () => {
    expectCode(() => parseGenesis(forge({}, testKey('other'))), 'GENESIS_SIGNATURE');
    const unsigned = encodeEnvelope({ payloadType: type, payload, signatures: [] });
    expectCode(() => parseGenesis(unsigned), 'GENESIS_SIGNATURE');
  });

  it('in another spelling, or another envelope, is refused', () => {
    const text = decodeUtf8(bytes);
    expectCode(() => parseGenesis(utf8(`${text}\n`)), 'GENESIS_MALFORMED');
    expectCode(() => parseGenesis(utf8(text.replace('{', '{ '))), 'GENESIS_MALFORMED');
    expectCode(() => parseGenesis(utf8(text.replace(type, 'application/json'))), 'GENESIS_MALFORMED');
    const spaced = utf8(`${decodeUtf8(payload)} `);
    const resigned = encodeEnvelope(signEnvelope({ payloadType: type, payload: spaced, signatures: [] }, key));
    expectCode(() => parseGenesis(resigned), 'GENESIS_MALFORMED');
    expect(encodeBase64(spaced)).not.toBe(encodeBase64(payload));
  });

  it('with any bit changed is refused', () => {
    fc.assert(
      fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] as number) ^ (1 << bit);
        expect(() => parseGenesis(changed)).toThrowError(
          expect.objectContaining({ code: expect.stringMatching(/^GENESIS_/) }),
        );
      }),
      { numRuns: runs(300, 10_000) },
    );
  });
});
