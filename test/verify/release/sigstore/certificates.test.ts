import { describe, expect, it } from 'vitest';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { der, octets, oid, sequence, text, yes } from '../../../support/der.ts';
import { expectCode } from '../../../support/expect-code.ts';
import {
  authority,
  email,
  extension,
  type LeafOptions,
  leaf,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  uri,
} from '../../../support/sigstore-authority.ts';
import { timestampChain } from '../../../support/timestamp-authority.ts';
import { ARTIFACT, ownTrust, refusal } from './judged.ts';

const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const REFUSED = 'certificate CERTIFICATE_REFUSED';
const own = ownTrust();

function judged(options: LeafOptions, identity = OWN_IDENTITY): string | undefined {
  return refusal(messageBundle(leaf(options), ARTIFACT), {
    trust: { ...own, identity: { identity, issuer: OWN_ISSUER } },
  });
}

describe('the name in a signing certificate', () => {
  it.each([
    ['an address', email('dev@example.org'), 'dev@example.org'],
    ['a service account', email('robot@project.iam.example.com'), 'robot@project.iam.example.com'],
    ['a SPIFFE id', uri('spiffe://example.org/ci'), 'spiffe://example.org/ci'],
  ])('may be %s', (_, name, identity) => {
    expect(judged({ names: [name] }, identity)).toBeUndefined();
  });

  const dns = der(0x82, Buffer.from('example.org'));
  const other = (value: Buffer) => der(0xa0, oid('1.3.6.1.4.1.57264.1.7'), der(0xa0, value));
  it.each([
    ['a URI that is an address', [uri('dev@example.org')], 'dev@example.org'],
    ['an address that is a URI', [email(OWN_IDENTITY)], OWN_IDENTITY],
    ['an address and a second one', [email('dev@example.org@evil.example')], 'dev@example.org@evil.example'],
    ['an address with a line end', [email('dev@example.org\n')], 'dev@example.org\n'],
    ['another kind of name', [other(text('dev@example.org'))], 'dev@example.org'],
    ['another kind of name beside ours', [other(text('x')), uri(OWN_IDENTITY)], OWN_IDENTITY],
    ['ours beside another kind', [uri(OWN_IDENTITY), dns], OWN_IDENTITY],
    ['ours twice', [uri(OWN_IDENTITY), uri(OWN_IDENTITY)], OWN_IDENTITY],
    ['a host', [dns], 'example.org'],
    ['nothing', [uri('')], ''],
    ['very long', [uri(`https://${'x'.repeat(3000)}`)], `https://${'x'.repeat(3000)}`],
    ['no UTF-8', [uri(Buffer.from([0x68, 0x3a, 0xff]))], 'h:\ufffd'],
  ])('is not %s', (_, names, identity) => {
    expect(judged({ names }, identity)).toBe(REFUSED);
  });
});

describe('what vouches for the signer', () => {
  it('may be said in the first form too, if it is the same', () => {
    expect(judged({ extra: [extension(ISSUER_V1, Buffer.from(OWN_ISSUER))] })).toBeUndefined();
  });

  it.each([
    ['another one in the first form', extension(ISSUER_V1, Buffer.from(`${OWN_ISSUER}.evil.example`))],
    ['the first form in DER', extension(ISSUER_V1, text(OWN_ISSUER))],
    ['nothing in the first form', extension(ISSUER_V1, Buffer.alloc(0))],
  ])('is not %s', (_, extra) => {
    expect(judged({ extra: [extra] })).toBe(REFUSED);
  });

  it('is not nothing, and is the expected one', () => {
    expect(judged({ issuer: '' })).toBe(REFUSED);
    expect(judged({ issuer: `${OWN_ISSUER}/` })).toBe('identity ISSUER_MISMATCH');
  });
});

describe('a signing certificate', () => {
  it.each<[string, LeafOptions]>([
    ['with the mark of an authority alone', { extra: [extension('2.5.29.19', sequence(yes), true)] }],
    ['whose key may sign certificates', { keyUsage: 0x84 }],
    ['whose key may not sign', { keyUsage: 0x20 }],
    ['that is for something else', { codeSigning: false, extra: [usage('1.3.6.1.5.5.7.3.8')] }],
    ['that is for anything', { codeSigning: false, extra: [usage('2.5.29.37.0')] }],
    ['with a second list of uses', { extra: [usage('1.3.6.1.5.5.7.3.8')] }],
    ['with limits on names', { extra: [extension('2.5.29.30', sequence(), true)] }],
    [
      'with an extension of four parts',
      { extra: [sequence(oid('1.2.3.4'), yes, octets(text('x')), octets(text('y')))] },
    ],
    ['with an extension of one part', { extra: [sequence(oid('1.2.3.4'))] }],
  ])('%s is refused', (_, options) => {
    expect(judged(options)).toBe(REFUSED);
  });

  it('with an extension nobody knows, which is not critical, is accepted', () => {
    expect(judged({ extra: [extension('1.2.3.4', text('x'))] })).toBeUndefined();
  });
});

/** Offsets in a list of one: both lengths, version, id of the log, time, extensions, hash, algorithm, signature. */
const AT = { version: 4, log: 5, time: 37, extensions: 45, hash: 47, signature: 51 } as const;

describe('the certificate log’s timestamp', () => {
  const MALFORMED = 'material MATERIAL_MALFORMED';
  const flip = (at: number) => (list: Buffer) => Buffer.from(list.map((byte, i) => (i === at ? byte ^ 1 : byte)));
  const listOf = (...parts: readonly Buffer[]) => {
    const content = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([content.length >> 8, content.length & 0xff]), content]);
  };
  it.each<[string, (list: Buffer) => Buffer, string]>([
    ['of another version', flip(AT.version), REFUSED],
    ['of a log nobody named', flip(AT.log), REFUSED],
    ['of another time', flip(AT.time + 7), REFUSED],
    ['with something in its extensions', (list) => flip(AT.extensions + 1)(list), MALFORMED],
    ['over another hash', flip(AT.hash), REFUSED],
    ['with another signature', flip(AT.signature + 20), REFUSED],
    ['twice', (list) => listOf(list.subarray(2), list.subarray(2)), REFUSED],
    ['and one that is not', (list) => listOf(list.subarray(2), flip(AT.log)(list).subarray(2)), REFUSED],
    ['in an empty list', () => listOf(), REFUSED],
    ['cut short', (list) => list.subarray(0, -1), MALFORMED],
  ])('is refused %s', (_, alterSct, expected) => {
    expect(judged({ alterSct })).toBe(expected);
  });

  it('is over this very certificate', () => {
    let first: Buffer | undefined;
    leaf({ alterSct: (list) => (first = list) });
    expect(judged({ alterSct: () => first ?? Buffer.alloc(0) })).toBe(REFUSED);
  });
});

function usage(id: string): Buffer {
  return extension('2.5.29.37', sequence(oid(id)));
}

describe('the certificates in a trusted root', () => {
  it('may have what binds nothing', () => {
    const chain = [
      authority([extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.3'))), extension('1.2.3', text('x'))]),
    ];
    expect(refusal(messageBundle(leaf(), ARTIFACT), { trust: ownTrust({ chain }) })).toBeUndefined();
  });

  const domain = sequence(der(0xa0, sequence(der(0x86, Buffer.from('.example.com')))));
  it.each([
    ['limits on names', authority([extension('2.5.29.30', domain, true)])],
    ['limits on names that are not marked critical', authority([extension('2.5.29.30', domain)])],
    ['limits on policies', authority([extension('2.5.29.36', sequence(), true)])],
    ['a critical extension nobody knows', authority([extension('1.2.3.4', text('x'), true)])],
    ['an extension twice', authority([extension('2.5.29.19', sequence(), true)])],
  ])('have no %s: nothing here would heed them', (_, certificate) => {
    expectCode(() => readTrustedRoot(ownRoot({ chain: [certificate] }), 'own'), 'TRUSTED_ROOT_MALFORMED');
  });

  it.each([
    ['for anything', timestampChain(null)],
    ['for code', timestampChain('1.3.6.1.5.5.7.3.3')],
    ['as an authority', [authority()]],
  ])('are for timestamps where timestamps are made, not %s', (_, chain) => {
    expectCode(() => readTrustedRoot(ownRoot({ timestampChain: chain }), 'own'), 'TRUSTED_ROOT_MALFORMED');
  });
});
