import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../../src/core/bytes.ts';
import { parseKeyring } from '../../../../src/verify/release/openpgp/keyring.ts';
import { expectCode } from '../../../support/expect-code.ts';
import { judge, outcome } from './judging.ts';
import {
  armor,
  certificate,
  DAY,
  ed25519,
  type Parts,
  packet,
  revocation,
  rsa,
  say,
  selfSignature,
  signature,
  subkey,
  subpacket,
  T0,
  USER,
} from './making.ts';

const DATA = utf8('a release\n');
const OURS = ed25519('ours');
const OTHER = ed25519('other');
const RING = certificate(OURS);
const signed = (parts: Parts = {}, by = OURS) => packet(2, signature(by, DATA, parts));

describe('an OpenPGP signature', () => {
  it('counts, binary or armoured, with the owner and the key told', async () => {
    const { check, signers } = await judge(signed(), RING, DATA);
    expect(check).toMatchObject({ name: 'openpgp', status: 'pass', detail: { fingerprints: [OURS.fingerprint] } });
    expect(check.reason).toContain(OURS.fingerprint.toUpperCase());
    expect(signers).toMatchObject([{ role: 'openpgp', identity: USER }]);
    expect(await outcome(utf8(armor('PGP SIGNATURE', signed())), RING, DATA)).toBe('pass');
    expect(await outcome(signed(), utf8(armor('PGP PUBLIC KEY BLOCK', RING)), DATA)).toBe('pass');
  });

  const newer = ed25519('newer', T0, 27);
  const strong = rsa(2048);
  it.each([
    ['Ed25519 in its newer form', signed({}, newer), certificate(newer)],
    ['RSA of 2048 bits', signed({}, strong), certificate(strong)],
    ['over SHA-256', signed({ hash: 8 }), RING],
    ['of text, over lines without carriage returns', textSignature(), RING],
    ['by a subkey', signed({}, OTHER), certificate(OURS, { tail: [subkey(OURS, OTHER)] })],
    ['with only a key id', signed({ hashed: [say.created(T0 + DAY)] }), RING],
    ['that ends later', signed({ more: [say.expires(30 * DAY)] }), RING],
    ['with a note that is not critical', signed({ more: [subpacket(26, utf8('https://x'))] }), RING],
    ['by a key that ends later', signed(), certificate(OURS, { self: { more: [say.keyLifetime(30 * DAY)] } })],
    ['beside one by a stranger', concatBytes(signed(), signed({}, OTHER)), RING],
    ['beside one of another version', concatBytes(packet(2, Uint8Array.of(6, 0, 27, 10)), signed()), RING],
    ['of a key whose name somebody else took back his word on', signed(), certificate(OURS, { tail: [takenBack()] })],
    ['of a key that designates who may revoke it', signed(), certificate(OURS, { direct: [designation()] })],
  ])('counts %s', async (_, bytes, ring) => {
    expect(await outcome(bytes, ring, DATA)).toBe('pass');
  });

  function takenBack() {
    return packet(2, signature(OTHER, DATA, { type: 0x30 }));
  }
  function textSignature() {
    return packet(2, signature(OURS, utf8('a release\r\n'), { type: 1 }));
  }
  function designation() {
    return signature(OURS, keyOnly(), { type: 0x1f, more: [subpacket(12, new Uint8Array(22))] });
  }
  function keyOnly() {
    return concatBytes(Uint8Array.of(0x99, OURS.body.length >> 8, OURS.body.length & 0xff), OURS.body);
  }

  it.each<[string, string, Uint8Array]>([
    ['PGP_SIGNATURE', 'over something else', packet(2, signature(OURS, utf8('b')))],
    ['PGP_KEY_UNKNOWN', 'by a stranger', signed({}, OTHER)],
    ['PGP_KEY_UNKNOWN', 'by nobody', signed({ hashed: [say.created(T0)], unhashed: [] })],
    ['PGP_HASH', 'over MD5', signed({ hash: 1 })],
    ['PGP_HASH', 'over SHA-1', signed({ hash: 2 })],
    ['PGP_HASH', 'over RIPEMD-160', signed({ hash: 3 })],
    ['PGP_HASH', 'over SHA-224', signed({ hash: 11 })],
    ['PGP_HASH', 'over a hash nobody knows', signed({ hash: 99 })],
    ['PGP_TYPE', 'that stands alone', signed({ type: 0x02 })],
    ['PGP_TYPE', 'that is one over a name', signed({ type: 0x13 })],
    ['PGP_TYPE', 'that is a timestamp', signed({ type: 0x40 })],
    ['PGP_VERSION', 'of version 3', packet(2, Uint8Array.of(3, 5, 0, 0, 0, 0, 0))],
    ['PGP_VERSION', 'of version 5', signed({ version: 5 })],
    ['PGP_VERSION', 'of version 6', packet(2, Uint8Array.of(6, 0, 27, 10, 0, 0, 0, 0))],
    ['PGP_CRITICAL', 'with a critical note', signed({ more: [subpacket(20, new Uint8Array(8), true)] })],
    [
      'PGP_CRITICAL',
      'with something critical from the future',
      signed({ more: [subpacket(99, new Uint8Array(1), true)] }),
    ],
    ['PGP_EXPIRED', 'that ended', signed({ more: [say.expires(DAY)] })],
    ['PGP_TIME', 'from before its key', signed({ at: T0 - 1 })],
    ['PGP_MALFORMED', 'without a time', signed({ hashed: [say.issuer(OURS)] })],
    ['PGP_MALFORMED', 'with two times', signed({ more: [say.created(T0)] })],
    [
      'PGP_MALFORMED',
      'with a time of two bytes',
      signed({ hashed: [say.issuer(OURS), subpacket(2, new Uint8Array(2))] }),
    ],
    [
      'PGP_MALFORMED',
      'with a time that is not signed',
      signed({ hashed: [say.issuer(OURS)], unhashed: [say.created(T0)] }),
    ],
    ['PGP_MALFORMED', 'with more that is not signed', signed({ unhashed: [say.keyId(OURS), say.flags(2)] })],
    ['PGP_MALFORMED', 'that names two keys', signed({ unhashed: [say.keyId(OTHER)] })],
    ['PGP_MALFORMED', 'that names a key twice', signed({ unhashed: [say.issuer(OTHER)] })],
    ['PGP_MALFORMED', 'with a subpacket that is cut', signed({ more: [Uint8Array.of(9, 26, 0)] })],
    ['PGP_MALFORMED', 'cut short', signed().slice(0, -1)],
    ['PGP_MALFORMED', 'with a byte after it', concatBytes(signed(), Uint8Array.of(0))],
    ['PGP_MALFORMED', 'with bytes after its numbers', packet(2, concatBytes(signature(OURS, DATA), Uint8Array.of(0)))],
    ['PGP_MALFORMED', 'of 65 signatures', concatBytes(...Array.from({ length: 65 }, () => signed()))],
    ['PGP_MALFORMED', 'that is nothing', new Uint8Array()],
    // What it vouches for is the text in it, while people believe that it is the file beside it.
    [
      'PGP_MALFORMED',
      'with the text in it',
      concatBytes(packet(4, new Uint8Array(13)), packet(11, utf8('b\0\0\0\0\0x')), signed()),
    ],
    ['PGP_MALFORMED', 'with a marker before it', concatBytes(packet(10, utf8('PGP')), signed())],
    ['PGP_MALFORMED', 'in a compressed packet', packet(8, concatBytes(Uint8Array.of(0), signed()))],
    ['PGP_MALFORMED', 'in parts', concatBytes(Uint8Array.of(0xc2, 0xe0, 0), signed())],
    ['PGP_MALFORMED', 'without a length', concatBytes(Uint8Array.of(0x8b), signature(OURS, DATA))],
    ['MATERIAL_TOO_LARGE', 'of 64 KiB and more', new Uint8Array(64 * 1024 + 1).fill(0x88)],
  ])('is %s %s', async (code, _, bytes) => {
    expect(await outcome(bytes, RING, DATA)).toBe(code);
  });

  it('over lines fits no file with carriage returns', async () => {
    const bytes = packet(2, signature(OURS, utf8('a release\r\n'), { type: 1 }));
    expect(await outcome(bytes, RING, utf8('a release\r\n'))).toBe('PGP_TYPE');
  });

  it('that is altered refuses all, also beside a good one', async () => {
    const bad = packet(2, signature(OURS, utf8('b')));
    expect(await outcome(concatBytes(signed(), bad), RING, DATA)).toBe('PGP_SIGNATURE');
  });

  it('is not moved to another algorithm', async () => {
    const body = signature(OURS, DATA);
    body[2] = 27;
    expect(await outcome(packet(2, body), RING, DATA)).toBe('PGP_ALGORITHM');
  });
});

describe('armour', () => {
  const whole = armor('PGP SIGNATURE', signed());
  it.each([
    ['two blocks of a file', whole + whole],
    ['the headers that tools write', armor('PGP SIGNATURE', signed(), ['Version: GnuPG v1', 'Comment: https://x'])],
    ['a right checksum', checksummed()],
    ['no newline at its end', whole.slice(0, -1)],
  ])('may have %s', async (_, text) => {
    expect(await outcome(utf8(text), RING, DATA)).toBe('pass');
  });

  function checksummed(sum?: string) {
    let crc = 0xb704ce;
    for (const byte of signed()) {
      crc ^= byte << 16;
      for (let i = 0; i < 8; i++) crc = (crc << 1) ^ ((crc & 0x800000) === 0 ? 0 : 0x1864cfb);
    }
    const right = Buffer.from([crc >> 16, crc >> 8, crc]).toString('base64');
    return whole.replace('\n-----END', `\n=${sum ?? right}\n-----END`);
  }

  it.each<[string, string]>([
    ['text before it', `x\n${whole}`],
    ['text after it', `${whole}x\n`],
    ['an empty line after it', `${whole}\n`],
    ['text between two', `${whole}\n${whole}`],
    ['a header nobody writes', whole.replace('\n\n', '\nHash: SHA512\n\n')],
    ['a header with controls', whole.replace('\n\n', '\nComment: \u001b[2J\n\n')],
    ['no empty line', whole.replace('\n\n', '\n')],
    ['white space for an empty line', whole.replace('\n\n', '\n \n')],
    ['no end', whole.replace(/-----END.*\n/, '')],
    ['another end', whole.replace('END PGP SIGNATURE', 'END PGP MESSAGE')],
    [
      'a longer line',
      `${whole.split('\n').slice(0, 2).join('\n')}\n${whole.split('\n').slice(2, -2).join('')}\n-----END PGP SIGNATURE-----\n`,
    ],
    ['base64 with spaces', whole.replace(/\n([A-Za-z0-9])/, '\n $1')],
    ['base64 of two spellings', whole.replace('\n-----END', '=\n-----END')],
    ['a wrong checksum', checksummed('AAAA')],
    ['carriage returns', whole.replaceAll('\n', '\r\n')],
    ['another label', whole.replaceAll('SIGNATURE', 'MESSAGE')],
    ['a key', armor('PGP PUBLIC KEY BLOCK', RING)],
    ['nothing in it', '-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n'],
  ])('may not have %s', async (name, text) => {
    const code = name === 'nothing in it' ? 'PGP_MALFORMED' : 'PGP_ARMOR';
    // A file that starts with something else is no armour at all.
    expect(await outcome(utf8(text), RING, DATA)).toBe(name === 'text before it' ? 'PGP_MALFORMED' : code);
  });
});

describe('a key', () => {
  const weak = rsa(1024);
  const late = ed25519('late', T0 + 2 * DAY);
  const plain = (parts: Parameters<typeof certificate>[1]) => certificate(OURS, parts);
  const bySub = (parts: Parameters<typeof subkey>[2]) => plain({ tail: [subkey(OURS, OTHER, parts)] });
  const hidden = (parts: Parts) => plain({ self: parts });

  it.each<[string, string, Uint8Array, Uint8Array]>([
    ['PGP_KEY_WEAK', 'of 1024 bits', certificate(weak), signed({}, weak)],
    [
      'PGP_KEY_WEAK',
      'of 1024 bits with a strong subkey',
      certificate(weak, { tail: [subkey(weak, OTHER)] }),
      signed({}, OTHER),
    ],
    ['PGP_ALGORITHM', 'of DSA', ...of(concatBytes(OURS.body.slice(0, 5), Uint8Array.of(17), OURS.body.slice(6)))],
    ['PGP_KEYRING_MALFORMED', 'whose point is cut', ...of(OURS.body.slice(0, -1))],
    ['PGP_KEYRING_MALFORMED', 'with more behind its point', ...of(concatBytes(OURS.body, Uint8Array.of(0)))],
    ['PGP_KEY_REVOKED', 'that was revoked', plain({ direct: [revocation(OURS)] }), signed()],
    ['PGP_KEY_REVOKED', 'that was revoked over SHA-1', plain({ direct: [revocation(OURS, { hash: 2 })] }), signed()],
    ['PGP_KEY_REVOKED', 'that somebody else revoked', plain({ direct: [revocation(OTHER)] }), signed()],
    [
      'PGP_KEY_REVOKED',
      'that was revoked later',
      plain({ direct: [revocation(OURS, { at: T0 + 900 * DAY })] }),
      signed(),
    ],
    ['PGP_KEY_REVOKED', 'that was revoked in an old version', plain({ direct: [Uint8Array.of(3, 5, 0x20)] }), signed()],
    ['PGP_KEY_REVOKED', 'that was revoked behind its name', plain({ tail: [packet(2, revocation(OURS))] }), signed()],
    [
      'PGP_KEY_REVOKED',
      'that was revoked in its second copy',
      concatBytes(RING, plain({ direct: [revocation(OURS)] })),
      signed(),
    ],
    ['PGP_KEY_EXPIRED', 'that ended', hidden({ more: [say.keyLifetime(2 * DAY)] }), signed()],
    ['PGP_TIME', 'that ended before it signed', hidden({ more: [say.keyLifetime(DAY)] }), signed()],
    ['PGP_TIME', 'that was made later', certificate(late), signed({}, late)],
    ['PGP_KEY_EXPIRED', 'that ended by what it says directly', plain({ direct: [ending()] }), signed()],
    ['PGP_KEY_USE', 'not made for signing', plain({ flags: 0x01 }), signed()],
    ['PGP_KEY_USE', 'of no said use', plain({ selfSignatures: [selfSignature(OURS, USER, undefined)] }), signed()],
    ['PGP_KEY_BINDING', 'without a signed name', plain({ selfSignatures: [] }), signed()],
    [
      'PGP_KEY_BINDING',
      'with a name that another signed',
      plain({ selfSignatures: [selfSignature(OTHER, USER, 3)] }),
      signed(),
    ],
    [
      'PGP_KEY_BINDING',
      'with another name than it signed',
      plain({ selfSignatures: [selfSignature(OURS, 'x', 3)] }),
      signed(),
    ],
    [
      'PGP_KEY_BINDING',
      'with a name that it took back',
      plain({ tail: [packet(2, signature(OURS, DATA, { type: 0x30 }))] }),
      signed(),
    ],
    ['PGP_HASH', 'whose newest word on itself is over SHA-1', twoSelves({ hash: 2 }), signed()],
    [
      'PGP_CRITICAL',
      'whose newest word has a critical note',
      twoSelves({ more: [subpacket(20, new Uint8Array(8), true)] }),
      signed(),
    ],
    ['PGP_KEY_BINDING', 'whose newest word ends', twoSelves({ more: [say.expires(900 * DAY)] }), signed()],
    ['PGP_KEY_BINDING', 'as a subkey that did not sign for its owner', bySub({ embedded: null }), signed({}, OTHER)],
    ['PGP_KEY_BINDING', 'as a subkey that another signed for', bySub({ backBy: ed25519('thief') }), signed({}, OTHER)],
    [
      'PGP_KEY_BINDING',
      'as a subkey whose word is of another kind',
      bySub({ back: { type: 0x18 } }),
      signed({}, OTHER),
    ],
    ['PGP_HASH', 'as a subkey whose word is over SHA-1', bySub({ back: { hash: 2 } }), signed({}, OTHER)],
    ['PGP_HASH', 'as a subkey bound over SHA-1', bySub({ binding: { hash: 2 } }), signed({}, OTHER)],
    ['PGP_KEY_USE', 'as a subkey not made for signing', bySub({ flags: 0x0c }), signed({}, OTHER)],
    ['PGP_KEY_REVOKED', 'as a subkey that was revoked', bySub({ revoked: true }), signed({}, OTHER)],
    [
      'PGP_KEY_EXPIRED',
      'as a subkey that ended',
      bySub({ binding: { more: [say.keyLifetime(2 * DAY)] } }),
      signed({}, OTHER),
    ],
    [
      'PGP_KEY_EXPIRED',
      'as a subkey whose primary key ended',
      certificate(OURS, { self: { more: [say.keyLifetime(2 * DAY)] }, tail: [subkey(OURS, OTHER)] }),
      signed({}, OTHER),
    ],
    ['PGP_KEY_BINDING', 'as a subkey that nobody bound', plain({ tail: [packet(14, OTHER.body)] }), signed({}, OTHER)],
    ['PGP_KEY_BINDING', 'as a subkey of somebody else', stolen(), signed({}, OTHER)],
    [
      'PGP_ISSUER',
      'as a subkey of two',
      concatBytes(bySub({}), certificate(ed25519('third'), { tail: [subkey(ed25519('third'), OTHER)] })),
      signed({}, OTHER),
    ],
  ])('is %s %s', async (code, _, ring, bytes) => {
    expect(await outcome(bytes, ring, DATA)).toBe(code);
  });

  /** A keyring with this key, and a signature that names it. */
  function of(body: Uint8Array): [Uint8Array, Uint8Array] {
    const ring = packet(6, body);
    const [fingerprint = ''] = parseKeyring(ring).certificates.keys();
    return [ring, signed({ hashed: [say.created(T0 + DAY), say.issuer({ ...OURS, fingerprint })], unhashed: [] })];
  }
  function ending() {
    const data = concatBytes(Uint8Array.of(0x99, OURS.body.length >> 8, OURS.body.length & 0xff), OURS.body);
    return signature(OURS, data, { type: 0x1f, more: [say.keyLifetime(2 * DAY)] });
  }
  /** The second is the newer one, which counts. */
  function twoSelves(parts: Parts) {
    const selfSignatures = [selfSignature(OURS, USER, 3), selfSignature(OURS, USER, 3, { at: T0 + 10, ...parts })];
    return plain({ selfSignatures });
  }
  /** Somebody claims the key of another, whose back signature he copied. */
  function stolen() {
    const thief = ed25519('thief');
    const data = (primary: typeof OURS) =>
      concatBytes(
        ...[primary, OTHER].map(({ body }) =>
          concatBytes(Uint8Array.of(0x99, body.length >> 8, body.length & 0xff), body),
        ),
      );
    const back = signature(OTHER, data(OURS), { type: 0x19, at: T0, unhashed: [] });
    return certificate(thief, { tail: [subkey(thief, OTHER, { embedded: back })] });
  }

  it('counts by the newest of its words, in whatever order they stand', async () => {
    const [old, renewed] = [
      selfSignature(OURS, USER, 3, { more: [say.keyLifetime(DAY)] }),
      selfSignature(OURS, USER, 3, { at: T0 + 3 * DAY, more: [say.keyLifetime(90 * DAY)] }),
    ];
    expect(await outcome(signed(), plain({ selfSignatures: [renewed, old] }), DATA)).toBe('pass');
    expect(await outcome(signed(), plain({ selfSignatures: [old, renewed] }), DATA)).toBe('pass');
  });

  it('counts until the floor reaches its end, and says so', async () => {
    const ring = hidden({ more: [say.keyLifetime(30 * DAY)] });
    expect(await outcome(signed(), ring, DATA, { floor: T0 + 30 * DAY - 1 })).toBe('pass');
    expect(await outcome(signed(), ring, DATA, { floor: T0 + 30 * DAY })).toBe('PGP_KEY_EXPIRED');
  });
});

describe('a threshold', () => {
  const both = concatBytes(RING, certificate(OTHER, { user: 'Second <b@example.org>' }));

  it('counts owners, not signatures and not keys', async () => {
    const two = concatBytes(signed(), signed({}, OTHER));
    const { signers, check } = await judge(two, both, DATA, { threshold: 2 });
    expect([check.status, signers.length]).toEqual(['pass', 2]);
    expect(await outcome(concatBytes(signed(), signed({ at: T0 + 5 })), both, DATA, { threshold: 2 })).toBe(
      'THRESHOLD_NOT_MET',
    );
    const withSubkey = certificate(OURS, { tail: [subkey(OURS, OTHER)] });
    expect(await outcome(two, withSubkey, DATA, { threshold: 2 })).toBe('THRESHOLD_NOT_MET');
  });

  it('counts one key under two dates once, and one subkey of two owners', async () => {
    const again = ed25519('ours', T0 + 5);
    const two = concatBytes(signed(), signed({}, again));
    const ring = concatBytes(RING, certificate(again));
    expect(await outcome(two, ring, DATA)).toBe('pass');
    expect(await outcome(two, ring, DATA, { threshold: 2 })).toBe('THRESHOLD_NOT_MET');
    const [sub, later] = [ed25519('sub'), ed25519('sub', T0 + 5)];
    const shared = concatBytes(
      certificate(OURS, { tail: [subkey(OURS, sub)] }),
      certificate(OTHER, { tail: [subkey(OTHER, later)] }),
    );
    const bySub = concatBytes(signed({}, sub), signed({}, later));
    expect(await outcome(bySub, shared, DATA)).toBe('pass');
    expect(await outcome(bySub, shared, DATA, { threshold: 2 })).toBe('THRESHOLD_NOT_MET');
  });

  it('is not met by signatures that do not count', async () => {
    const two = concatBytes(signed(), signed({ hash: 2 }, OTHER));
    expect(await outcome(two, both, DATA)).toBe('pass');
    expect(await outcome(two, both, DATA, { threshold: 2 })).toBe('THRESHOLD_NOT_MET');
  });
});

describe('a keyring', () => {
  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['text', utf8('hello')],
    ['a signature', signed()],
    ['a private key', packet(5, OURS.body)],
    ['a private subkey', concatBytes(RING, packet(7, OTHER.body))],
    ['a message', concatBytes(RING, packet(11, utf8('x')))],
    ['a key that is cut', RING.slice(0, -3)],
    ["GnuPG's database", concatBytes(new Uint8Array(8), utf8('KBXf'), new Uint8Array(20))],
    ['only keys of another version', packet(6, concatBytes(Uint8Array.of(6), OURS.body.slice(1)))],
    ['armour of another kind', utf8(armor('PGP PRIVATE KEY BLOCK', RING))],
  ])('is not %s', (_, bytes) => {
    expectCode(() => parseKeyring(bytes), 'PGP_KEYRING_MALFORMED');
  });

  it('may hold what counts for nothing: pictures, trust, keys of another version', async () => {
    const attribute = concatBytes(
      packet(17, utf8('picture')),
      packet(2, selfSignature(OTHER, 'x', 3)),
      packet(12, utf8('t')),
    );
    const newer = concatBytes(
      packet(6, Uint8Array.of(6, 1, 2, 3)),
      packet(13, utf8('x')),
      packet(2, Uint8Array.of(6, 0x20)),
    );
    expect(await outcome(signed(), concatBytes(newer, RING, attribute, newer), DATA)).toBe('pass');
  });
});
