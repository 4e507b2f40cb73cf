import { generateKeyPairSync, type KeyObject, sign as nodeSign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeBase64, utf8 } from '../../../src/core/bytes.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { DaemonEyeError } from '../../../src/core/errors.ts';
import { messageOfBytes } from '../../../src/verify/release/message.ts';
import { parseAllowedSigners } from '../../../src/verify/release/ssh/allowed-signers.ts';
import { matchesPatternList } from '../../../src/verify/release/ssh/pattern.ts';
import { NO_REVOKED_KEYS, parseRevokedKeys } from '../../../src/verify/release/ssh/revoked-keys.ts';
import { parseSshSignature } from '../../../src/verify/release/ssh/signature.ts';
import { parseValidity } from '../../../src/verify/release/ssh/validity.ts';
import { type SshTrust, verifySsh } from '../../../src/verify/release/ssh/verify.ts';
import { wireString } from '../../../src/verify/release/wire.ts';
import { expectCode } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { runs } from '../../support/slow.ts';
import { armor, sshBlob, sshKeyLine, sshSignature } from './signing.ts';

const DATA = utf8('a release\n');
const MESSAGE = messageOfBytes('tool.tar', DATA);
const [OURS, OTHER] = [testKey('release'), testKey('somebody else')];
const FLOOR = '2026-11-22T00:00:00.000Z';
const GOOD = sshSignature(OURS, DATA);
const BASE = { revoked: NO_REVOKED_KEYS, namespace: 'file', floor: FLOOR } as const;

const signersOf = (text: string) => parseAllowedSigners(utf8(text));
const PLAIN = `release@example.org ${sshKeyLine(OURS)} the release key\n`;

function check(signature: string, signers = PLAIN, more: Partial<SshTrust> = {}) {
  return verifySsh(MESSAGE, parseSshSignature(utf8(signature)), { ...BASE, signers: signersOf(signers), ...more });
}

describe('an SSH signature', () => {
  it.each(['sha256', 'sha512'])('over a %s hash is accepted', (hash) => {
    expect(check(sshSignature(OURS, DATA, { hash }))).toEqual({
      keyid: OURS.publicKey.keyid,
      role: 'ssh',
      identity: 'release@example.org',
    });
  });

  const low = concatBytes(wireString(utf8('ssh-ed25519')), wireString(new Uint8Array([1, ...Array(31).fill(0)])));
  const dss = concatBytes(wireString(utf8('ssh-dss')), wireString(new Uint8Array(8)));
  const certificate = concatBytes(wireString(utf8('ssh-ed25519-cert-v01@openssh.com')), wireString(new Uint8Array(32)));
  it.each<[string, string, string]>([
    ['of another file', sshSignature(OURS, utf8('x')), 'SSH_SIGNATURE'],
    ['of a key that nobody allowed', sshSignature(OTHER, DATA), 'SSH_SIGNER_UNKNOWN'],
    ['of another key under our name', sshSignature(OTHER, DATA, { publicKey: sshBlob(OURS) }), 'SSH_SIGNATURE'],
    ['made for git', sshSignature(OURS, DATA, { namespace: 'git' }), 'SSH_NAMESPACE'],
    ['made for file and a bit', sshSignature(OURS, DATA, { namespace: 'file ' }), 'SSH_NAMESPACE'],
    ['made for nothing', sshSignature(OURS, DATA, { namespace: '' }), 'SSH_MALFORMED'],
    ['with something in the reserved field', sshSignature(OURS, DATA, { reserved: 'x' }), 'SSH_MALFORMED'],
    ['of version 2', sshSignature(OURS, DATA, { version: 2 }), 'SSH_MALFORMED'],
    ['over a sha1 hash', sshSignature(OURS, DATA, { hash: 'sha1' }), 'SSH_ALGORITHM'],
    ['that says it is RSA', sshSignature(OURS, DATA, { algorithm: 'rsa-sha2-512' }), 'SSH_ALGORITHM'],
    ['with bytes after it', sshSignature(OURS, DATA, { trailing: Uint8Array.of(0) }), 'SSH_MALFORMED'],
    [
      'one byte longer',
      sshSignature(OURS, DATA, { signature: (b) => concatBytes(b, Uint8Array.of(0)) }),
      'SSH_SIGNATURE',
    ],
    ['one byte shorter', sshSignature(OURS, DATA, { signature: (b) => b.slice(1) }), 'SSH_SIGNATURE'],
    ['of a key of low order', sshSignature(OURS, DATA, { publicKey: low }), 'SSH_KEY_MALFORMED'],
    ['of a DSA key', sshSignature(OURS, DATA, { publicKey: dss }), 'SSH_ALGORITHM'],
    ['of a certificate cut short', sshSignature(OURS, DATA, { publicKey: certificate }), 'SSH_KEY_MALFORMED'],
    [
      'with a key and a byte',
      sshSignature(OURS, DATA, { publicKey: concatBytes(sshBlob(OURS), Uint8Array.of(0)) }),
      'SSH_KEY_MALFORMED',
    ],
    ['with Windows line ends', GOOD.replaceAll('\n', '\r\n'), 'SSH_MALFORMED'],
    ['with a NUL', GOOD.replace('BEGIN', 'BE\0IN'), 'SSH_MALFORMED'],
    ['after something else', `x\n${GOOD}`, 'SSH_MALFORMED'],
    ['before something else', `${GOOD}x\n`, 'SSH_MALFORMED'],
    ['twice', GOOD + GOOD, 'SSH_MALFORMED'],
    ['cut short', GOOD.slice(0, 200), 'SSH_MALFORMED'],
    [
      'with a length past its end',
      armor(concatBytes(utf8('SSHSIG'), Uint8Array.of(0, 0, 0, 1, 255, 255, 255, 255))),
      'SSH_MALFORMED',
    ],
    ['that is a PGP one', GOOD.replaceAll('SSH', 'PGP'), 'SSH_MALFORMED'],
    ['that is empty', '', 'SSH_MALFORMED'],
    ['of 100 MB', 'A'.repeat(100_000_000), 'MATERIAL_TOO_LARGE'],
  ])('%s is refused', (_, signature, code) => {
    expectCode(() => check(signature), code);
  });

  it('with any bit of it changed is refused, with one of our codes', () => {
    const bytes = utf8(GOOD);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const changed = bytes.slice();
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        let thrown: unknown;
        try {
          verifySsh(MESSAGE, parseSshSignature(changed), { ...BASE, signers: signersOf(PLAIN) });
        } catch (error) {
          thrown = error;
        }
        expect(thrown, `byte ${at}`).toBeInstanceOf(DaemonEyeError);
      }),
      { numRuns: runs(200, 3000) },
    );
  });
});

/** A signature of any key, made as OpenSSH makes it. */
function signedBy(
  publicKey: Uint8Array,
  algorithm: string,
  make: (signed: Uint8Array) => Uint8Array,
  tail: Uint8Array = new Uint8Array(),
) {
  const str = (text: string) => wireString(utf8(text));
  const signed = concatBytes(utf8('SSHSIG'), str('file'), str(''), str('sha256'), wireString(sha256(DATA)));
  const signature = concatBytes(str(algorithm), wireString(make(signed)), tail);
  const head = concatBytes(utf8('SSHSIG'), Uint8Array.of(0, 0, 0, 1), wireString(publicKey));
  return armor(concatBytes(head, str('file'), str(''), str('sha256'), wireString(signature)));
}

const lineOf = (type: string, blob: Uint8Array) => `who ${type} ${encodeBase64(blob)}\n`;

function mpint(bytes: Uint8Array): Uint8Array {
  const from = Math.max(
    0,
    bytes.findIndex((byte) => byte !== 0),
  );
  const short = bytes.slice(from);
  return wireString((short[0] ?? 0) >= 0x80 ? concatBytes(Uint8Array.of(0), short) : short);
}

function jwkBytes(key: KeyObject, name: 'x' | 'y' | 'n' | 'e'): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' })[name] ?? '', 'base64url'));
}

describe('keys of other kinds', () => {
  it.each([
    ['nistp256', 'P-256', 'sha256', 32],
    ['nistp384', 'P-384', 'sha384', 48],
    ['nistp521', 'P-521', 'sha512', 66],
  ] as const)('%s', (ssh, namedCurve, hash, width) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
    const type = `ecdsa-sha2-${ssh}`;
    const point = concatBytes(Uint8Array.of(4), jwkBytes(publicKey, 'x'), jwkBytes(publicKey, 'y'));
    const blob = concatBytes(wireString(utf8(type)), wireString(utf8(ssh)), wireString(point));
    const make = (signed: Uint8Array, change = (half: Uint8Array) => mpint(half)) => {
      const raw = new Uint8Array(nodeSign(hash, signed, { key: privateKey, dsaEncoding: 'ieee-p1363' }));
      return concatBytes(change(raw.slice(0, width)), change(raw.slice(width)));
    };
    expect(
      check(
        signedBy(blob, type, (signed) => make(signed)),
        lineOf(type, blob),
      ).identity,
    ).toBe('who');
    const padded = (signed: Uint8Array) => make(signed, (half) => wireString(concatBytes(new Uint8Array(2), half)));
    expectCode(() => check(signedBy(blob, type, padded), lineOf(type, blob)), 'SSH_MALFORMED');
    expectCode(
      () =>
        check(
          signedBy(blob, type, () => concatBytes(mpint(Uint8Array.of(1)), mpint(Uint8Array.of(1)))),
          lineOf(type, blob),
        ),
      'SSH_SIGNATURE',
    );
    const off = blob.slice();
    off[off.length - 1] = (off.at(-1) ?? 0) ^ 1;
    expectCode(
      () =>
        check(
          signedBy(off, type, (signed) => make(signed)),
          lineOf(type, blob),
        ),
      'SSH_KEY_MALFORMED',
    );
  });

  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rsaBlob = (e: Uint8Array, n: Uint8Array) => concatBytes(wireString(utf8('ssh-rsa')), mpint(e), mpint(n));
  const [e, n] = [jwkBytes(publicKey, 'e'), jwkBytes(publicKey, 'n')];
  const rsa = rsaBlob(e, n);

  it('RSA of 2048 bits, with SHA-2 only', () => {
    for (const [name, hash] of [
      ['rsa-sha2-256', 'sha256'],
      ['rsa-sha2-512', 'sha512'],
    ] as const) {
      const signature = signedBy(rsa, name, (signed) => new Uint8Array(nodeSign(hash, signed, privateKey)));
      expect(check(signature, lineOf('ssh-rsa', rsa)).identity).toBe('who');
    }
    const sha1 = signedBy(rsa, 'ssh-rsa', (signed) => new Uint8Array(nodeSign('sha1', signed, privateKey)));
    expectCode(() => check(sha1, lineOf('ssh-rsa', rsa)), 'SSH_ALGORITHM');
  });

  it.each([
    ['of 1024 bits', rsaBlob(Uint8Array.of(1, 0, 1), n.slice(0, 128))],
    ['of 2047 bits', rsaBlob(Uint8Array.of(1, 0, 1), concatBytes(Uint8Array.of(0x7f), n.slice(1)))],
    ['of 20000 bits', rsaBlob(Uint8Array.of(1, 0, 1), new Uint8Array(2500).fill(0xff))],
    ['with the exponent 1', rsaBlob(Uint8Array.of(1), n)],
    ['with an even exponent', rsaBlob(Uint8Array.of(1, 0, 0), n)],
  ])('RSA %s is refused', (_, blob) => {
    expectCode(
      () =>
        check(
          signedBy(blob, 'rsa-sha2-256', () => new Uint8Array(256)),
          PLAIN,
        ),
      'SSH_KEY_WEAK',
    );
  });

  describe('a security key', () => {
    const type = 'sk-ssh-ed25519@openssh.com';
    const application = utf8('ssh:');
    const blob = concatBytes(wireString(utf8(type)), wireString(OURS.publicKey.raw), wireString(application));
    const made = (flags: number, claimed = flags) => {
      const counter = Uint8Array.of(0, 0, 0, 7);
      const make = (signed: Uint8Array) =>
        new Uint8Array(
          nodeSign(null, concatBytes(sha256(application), Uint8Array.of(flags), counter, sha256(signed)), OURS.handle),
        );
      return signedBy(blob, type, make, concatBytes(Uint8Array.of(claimed), counter));
    };
    it('counts when it was touched', () => {
      expect(check(made(1), lineOf(type, blob)).identity).toBe('who');
      expect(check(made(5), lineOf(type, blob)).identity).toBe('who');
    });
    it('does not count when nobody was there, or when that was made up', () => {
      expectCode(() => check(made(0), lineOf(type, blob)), 'SSH_PRESENCE');
      expectCode(() => check(made(0, 1), lineOf(type, blob)), 'SSH_SIGNATURE');
    });
    it('is not the plain key of the same numbers', () => {
      expectCode(() => check(made(1), PLAIN), 'SSH_SIGNER_UNKNOWN');
    });
    it('of the ECDSA kind counts too', () => {
      const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const ecType = 'sk-ecdsa-sha2-nistp256@openssh.com';
      const point = concatBytes(Uint8Array.of(4), jwkBytes(ec.publicKey, 'x'), jwkBytes(ec.publicKey, 'y'));
      const ecBlob = concatBytes(...[utf8(ecType), utf8('nistp256'), point, application].map(wireString));
      const tail = Uint8Array.of(1, 0, 0, 0, 9);
      const make = (signed: Uint8Array) => {
        const covered = concatBytes(sha256(application), tail, sha256(signed));
        const raw = new Uint8Array(nodeSign('sha256', covered, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }));
        return concatBytes(mpint(raw.slice(0, 32)), mpint(raw.slice(32)));
      };
      expect(check(signedBy(ecBlob, ecType, make, tail), lineOf(ecType, ecBlob)).identity).toBe('who');
    });
  });
});

describe('the allowed signers', () => {
  const line = (head: string) => `${head} ${sshKeyLine(OURS)}\n`;

  it.each<[string, string, string | undefined]>([
    ['by name', line('a@x,b@x'), 'b@x'],
    ['by wildcard', line('*@example.org'), 'release@example.org'],
    ['quoted', line('"a@x,release@example.org"'), 'release@example.org'],
    ['for a namespace', line('a@x namespaces="git,file"'), 'a@x'],
    ['for namespaces by pattern', line('a@x namespaces="fi*"'), undefined],
    ['for a time', line('a@x valid-after="20260101Z",valid-before="20270101000000Z"'), undefined],
    ['in any case of the options', line('a@x NameSpaces="file"'), undefined],
    ['on a second line, where the first is over', line('a@x valid-before="20200101Z"') + line('a@x'), undefined],
    ['with comments between', `# hello\n\n \t\n  ${line('a@x')}`, undefined],
  ])('admit %s', (_, signers, identity) => {
    expect(check(GOOD, signers, { identity }).role).toBe('ssh');
  });

  it.each<[string, string, string | undefined, string]>([
    ['another name', line('a@x'), 'b@x', 'SSH_PRINCIPAL'],
    ['a name that is a part', line('a@example.org'), 'a@example.or', 'SSH_PRINCIPAL'],
    ['a name with a pattern in it', line('a@x'), '*', 'SSH_PRINCIPAL'],
    ['who is shut out, whatever the order', line('!bad@x,*@x'), 'bad@x', 'SSH_PRINCIPAL'],
    ['who is shut out last', line('*@x,!bad@x'), 'bad@x', 'SSH_PRINCIPAL'],
    ['by negation alone', line('!bad@x'), 'good@x', 'SSH_PRINCIPAL'],
    ['in another case', line('a@x'), 'A@x', 'SSH_PRINCIPAL'],
    ['a wildcard that nobody named', line('*'), undefined, 'SSH_IDENTITY_NEEDED'],
    ['for another namespace', line('a@x namespaces="git"'), 'a@x', 'SSH_NAMESPACE'],
    ['for all but this namespace', line('a@x namespaces="*,!file"'), 'a@x', 'SSH_NAMESPACE'],
    ['after its time', line('a@x valid-before="20261122Z"'), 'a@x', 'SSH_VALIDITY'],
    ['before its time', line('a@x valid-after="20261122000001Z"'), 'a@x', 'SSH_VALIDITY'],
    ['in local time that may be over', line('a@x valid-before="202611221359"'), 'a@x', 'SSH_VALIDITY'],
    ['an authority', line('* cert-authority'), 'a@x', 'SSH_SIGNER_UNKNOWN'],
  ])('do not admit %s', (_, signers, identity, code) => {
    expectCode(() => check(GOOD, signers, { identity }), code);
  });

  it.each([
    ['nobody', '# empty\n'],
    ['no key', 'a@x\n'],
    ['an unknown option', line('a@x no-touch-required')],
    ['an option twice', line('a@x namespaces="a",namespaces="file"')],
    ['an option cut short', line('a@x namespaces="a')],
    ['an option and a comma', line('a@x namespaces="a",')],
    ['a value without quotes', line('a@x namespaces=file')],
    ['an empty namespace', line('a@x namespaces=""')],
    ['an empty principal', line('a@x,')],
    ['only a negation mark', line('!')],
    ['a value for cert-authority', line('a@x cert-authority="x"')],
    ['a date that is none', line('a@x valid-before="20260431Z"')],
    ['a date in words', line('a@x valid-before="tomorrow"')],
    ['a date that is empty', line('a@x valid-before=""')],
    ['a date with a tail', line('a@x valid-before="20260401Zx"')],
    ['validity that ends first', line('a@x valid-after="20270101Z",valid-before="20260101Z"')],
    ['a key of another type than it says', `a@x ssh-rsa ${encodeBase64(sshBlob(OURS))}\n`],
    ['base64 with a spare bit', line('a@x').replace(/=*\n$/, 'B\n')],
    ['a good line and a bad one', `${line('a@x')}b@x what is this\n`],
    ['Windows line ends', line('a@x').replace('\n', '\r\n')],
    ['a NUL', line('a\0@x')],
  ])('are refused as a whole with %s', (_, signers) => {
    expectCode(() => signersOf(signers), 'SSH_SIGNERS_MALFORMED');
  });

  it('of 100 MB are refused', () => {
    expectCode(() => parseAllowedSigners(new Uint8Array(100_000_000)), 'MATERIAL_TOO_LARGE');
  });

  it('match a pattern made to take long, at once', () => {
    expect(matchesPatternList(`${'a'.repeat(5000)}c`, `${'*a'.repeat(200)}b`)).toBe(false);
    expect([matchesPatternList('', '*'), matchesPatternList('ab', 'a?'), matchesPatternList('a', 'a?')]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('read a time without a zone in the narrow way', () => {
    expect(parseValidity('20260101', 'after')).toBe('2026-01-01T12:00:00.000Z');
    expect(parseValidity('20260101', 'before')).toBe('2025-12-31T10:00:00.000Z');
    expect(parseValidity('20260101235959Z', 'before')).toBe('2026-01-01T23:59:59.000Z');
  });
});

describe('revoked keys', () => {
  it('count no more, and others still do', () => {
    const revoked = parseRevokedKeys(utf8(`# lost\n${sshKeyLine(OURS)} old key\n`));
    expectCode(() => check(GOOD, PLAIN, { revoked }), 'SSH_REVOKED');
    expect(check(GOOD, PLAIN, { revoked: parseRevokedKeys(utf8(`${sshKeyLine(OTHER)}\n`)) }).role).toBe('ssh');
  });

  it.each([
    ['a binary list', utf8('SSHKRL\n\0\0\0\0\x01')],
    ['a line that is no key', utf8(`${sshKeyLine(OTHER)}\nserial: 1\n`)],
    ['a key cut short', utf8(sshKeyLine(OURS).slice(0, -3))],
    ['bytes', Uint8Array.of(0xff, 0xfe)],
  ])('are refused as a whole: %s', (_, bytes) => {
    expectCode(() => parseRevokedKeys(bytes), 'SSH_REVOKED_MALFORMED');
  });

  it('are told by the bytes of the key', () => {
    const { key } = parseSshSignature(utf8(GOOD));
    expect(parseRevokedKeys(utf8(sshKeyLine(OURS))).has(key)).toBe(true);
    expect(parseRevokedKeys(utf8(sshKeyLine(OTHER))).has(key)).toBe(false);
  });
});
