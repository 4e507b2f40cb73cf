import { createHash, sign as nodeSign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeBase64, utf8 } from '../../../src/core/bytes.ts';
import { sha256 } from '../../../src/core/digest.ts';
import { DaemonEyeError } from '../../../src/core/errors.ts';
import { messageOfBytes } from '../../../src/verify/release/message.ts';
import { parseAllowedSigners } from '../../../src/verify/release/ssh/allowed-signers.ts';
import { NO_REVOKED_KEYS, parseRevokedKeys } from '../../../src/verify/release/ssh/revoked-keys.ts';
import { parseSshSignature } from '../../../src/verify/release/ssh/signature.ts';
import { type SshTrust, verifySsh } from '../../../src/verify/release/ssh/verify.ts';
import { wireString } from '../../../src/verify/release/wire.ts';
import { expectCode } from '../../support/expect-code.ts';
import { testKey } from '../../support/keys.ts';
import { runs } from '../../support/slow.ts';
import {
  armor,
  type CertificateParts,
  sshBlob,
  sshCertificate,
  sshKeyLine,
  sshSignature,
  wireUint64,
} from './signing.ts';

const DATA = utf8('a release\n');
const MESSAGE = messageOfBytes('tool.tar', DATA);
const [OURS, AUTHORITY, OTHER] = [testKey('release'), testKey('authority'), testKey('somebody else')];
const NAME = 'release@example.org';
const LINE = `${NAME} cert-authority ${sshKeyLine(AUTHORITY)}\n`;
const NOW = 1_795_305_600n;
const FLOOR = new Date(Number(NOW) * 1000).toISOString();
const nothing = new Uint8Array();
const str = (text: string) => wireString(utf8(text));

const certified = (parts: CertificateParts = {}) =>
  sshSignature(OURS, DATA, { publicKey: sshCertificate(OURS, AUTHORITY, parts) });

function check(signature: string, more: Partial<SshTrust> = {}, signers = LINE) {
  const base = { revoked: NO_REVOKED_KEYS, namespace: 'file', floor: FLOOR };
  return verifySsh(MESSAGE, parseSshSignature(utf8(signature)), {
    ...base,
    signers: parseAllowedSigners(utf8(signers)),
    ...more,
  });
}

describe('a signature under an SSH certificate', () => {
  it('is by whom the certificate names, and by the key in it', () => {
    expect(check(certified())).toEqual({ keyid: OURS.publicKey.keyid, role: 'ssh', identity: NAME });
    const permits: CertificateParts = { extensions: [['permit-pty', nothing]] };
    expect(check(certified(permits), { identity: NAME }).identity).toBe(NAME);
    // Whom the line names and the certificate too, where nobody says which.
    const both = `bob@x,${NAME} cert-authority ${sshKeyLine(AUTHORITY)}\n`;
    expect(check(certified(), {}, both).identity).toBe(NAME);
  });

  const someone = sshSignature(OTHER, DATA, { publicKey: sshCertificate(OURS, AUTHORITY) });
  const chained = sshCertificate(AUTHORITY, OTHER);
  it.each<[string, string, string]>([
    ['by another key than the certified one', someone, 'SSH_SIGNATURE'],
    ['that nobody signed for the authority', certified({ by: OTHER }), 'SSH_CERTIFICATE'],
    ['of another authority', certified({ authority: sshBlob(OTHER), by: OTHER }), 'SSH_SIGNER_UNKNOWN'],
    ['that names our authority over another’s signature', certified({ by: OTHER }), 'SSH_CERTIFICATE'],
    ['by an authority that is certified itself', certified({ authority: chained }), 'SSH_KEY_MALFORMED'],
    ['certified by itself', certified({ authority: sshBlob(OURS), by: OURS }), 'SSH_SIGNER_UNKNOWN'],
    ['for a host', certified({ kind: 2 }), 'SSH_CERTIFICATE'],
    ['for nobody knows what', certified({ kind: 0 }), 'SSH_CERTIFICATE'],
    ['for nobody', certified({ principals: [] }), 'SSH_CERTIFICATE'],
    ['for an empty name', certified({ principals: [''] }), 'SSH_PRINCIPAL'],
    ['for a pattern', certified({ principals: ['*'] }), 'SSH_PRINCIPAL'],
    ['for a name and a bit', certified({ principals: [`${NAME}.evil`] }), 'SSH_PRINCIPAL'],
    ['for a name with a NUL', certified({ principals: [`${NAME}\0.evil`] }), 'SSH_KEY_MALFORMED'],
    ['for names in one', certified({ principals: [`bob,${NAME}`] }), 'SSH_PRINCIPAL'],
    ['that ends now', certified({ validBefore: NOW }), 'SSH_VALIDITY'],
    ['that begins next', certified({ validAfter: NOW + 1n }), 'SSH_VALIDITY'],
    ['of no time at all', certified({ validAfter: 5n, validBefore: 4n }), 'SSH_VALIDITY'],
    ['with a limit nobody knows', certified({ critical: [['source-address', str('10.0.0.0/8')]] }), 'SSH_CERTIFICATE'],
    [
      'with a limit twice',
      certified({
        critical: [
          ['verify-required', nothing],
          ['verify-required', nothing],
        ],
      }),
      'SSH_KEY_MALFORMED',
    ],
    ['with bytes after it', certified({ trailing: Uint8Array.of(0) }), 'SSH_KEY_MALFORMED'],
    ['for 300 names', certified({ principals: Array.from({ length: 300 }, (_, i) => `n${i}`) }), 'SSH_KEY_MALFORMED'],
    ['of a key nobody takes', certified({ subject: { type: 'ssh-dss', fields: str('x') } }), 'SSH_ALGORITHM'],
  ])('is refused %s', (_, signature, code) => {
    expectCode(() => check(signature), code);
  });

  it('counts up to its last second and from its first', () => {
    expect(check(certified({ validAfter: NOW, validBefore: NOW + 1n })).role).toBe('ssh');
  });

  it('is admitted by lines of authorities alone, and these admit no plain key', () => {
    const blob = encodeBase64(sshCertificate(OURS, AUTHORITY));
    expectCode(() => check(certified(), {}, `${NAME} ${sshKeyLine(OURS)}\n`), 'SSH_SIGNER_UNKNOWN');
    expectCode(() => check(certified(), {}, `${NAME} ${sshKeyLine(AUTHORITY)}\n`), 'SSH_SIGNER_UNKNOWN');
    expectCode(
      () => check(certified(), {}, `${NAME} ssh-ed25519-cert-v01@openssh.com ${blob}\n`),
      'SSH_SIGNER_UNKNOWN',
    );
    expectCode(() => check(sshSignature(AUTHORITY, DATA)), 'SSH_SIGNER_UNKNOWN');
    expectCode(() => check(sshSignature(OURS, DATA)), 'SSH_SIGNER_UNKNOWN');
  });

  it('needs its name to be said where the line has a pattern', () => {
    expectCode(() => check(certified(), {}, LINE.replace(NAME, '*')), 'SSH_IDENTITY_NEEDED');
    expect(check(certified(), { identity: NAME }, LINE.replace(NAME, '*')).identity).toBe(NAME);
    expectCode(() => check(certified(), { identity: '*' }, LINE.replace(NAME, '*')), 'SSH_PRINCIPAL');
  });

  it('by a security key needs a PIN or a finger when the certificate asks for one', () => {
    const application = utf8('ssh:');
    const fields = concatBytes(wireString(OURS.publicKey.raw), wireString(application));
    const type = 'sk-ssh-ed25519@openssh.com';
    const made = (flags: number) => {
      const publicKey = sshCertificate(OURS, AUTHORITY, {
        subject: { type, fields },
        critical: [['verify-required', nothing]],
      });
      const digest = createHash('sha256').update(DATA).digest();
      const signed = concatBytes(utf8('SSHSIG'), str('file'), str(''), str('sha256'), wireString(digest));
      const tail = Uint8Array.of(flags, 0, 0, 0, 9);
      const blob = nodeSign(null, concatBytes(sha256(application), tail, sha256(signed)), OURS.handle);
      const head = concatBytes(utf8('SSHSIG'), Uint8Array.of(0, 0, 0, 1), wireString(publicKey));
      const signature = wireString(concatBytes(str(type), wireString(new Uint8Array(blob)), tail));
      return armor(concatBytes(head, str('file'), str(''), str('sha256'), signature));
    };
    expect(check(made(5)).role).toBe('ssh');
    expectCode(() => check(made(1)), 'SSH_PRESENCE');
    expectCode(() => check(made(4)), 'SSH_PRESENCE');
  });

  it('with any bit of the certificate changed is refused, with one of our codes', () => {
    const publicKey = sshCertificate(OURS, AUTHORITY);
    fc.assert(
      fc.property(fc.nat(publicKey.length - 1), fc.nat(7), (byte, bit) => {
        const changed = publicKey.slice();
        changed[byte] = (changed[byte] ?? 0) ^ (1 << bit);
        let thrown: unknown;
        try {
          check(sshSignature(OURS, DATA, { publicKey: changed }));
        } catch (error) {
          thrown = error;
        }
        expect(thrown, `byte ${byte}`).toBeInstanceOf(DaemonEyeError);
      }),
      { numRuns: runs(150, 5000) },
    );
  });
});

/** A list of revoked keys as PROTOCOL.krl has it. */
function krl(sections: readonly (readonly [number, Uint8Array])[], format = 1): Uint8Array {
  const head = concatBytes(utf8('SSHKRL\n\0'), Uint8Array.of(0, 0, 0, format), new Uint8Array(24), str(''), str('x'));
  return concatBytes(head, ...sections.flatMap(([type, data]) => [Uint8Array.of(type), wireString(data)]));
}

const certificates = (authority: Uint8Array, ...parts: readonly (readonly [number, Uint8Array])[]) =>
  [
    1,
    concatBytes(
      wireString(authority),
      str(''),
      ...parts.flatMap(([type, data]) => [Uint8Array.of(type), wireString(data)]),
    ),
  ] as const;

describe('a binary list of revoked keys', () => {
  const by = sshBlob(AUTHORITY);
  const plain = sshSignature(OURS, DATA);
  const verdict = (list: Uint8Array, parts: CertificateParts = {}): string => {
    try {
      return check(certified(parts), { revoked: parseRevokedKeys(list) }).role;
    } catch (error) {
      return (error as DaemonEyeError<string>).code;
    }
  };

  it.each<[string, Uint8Array, CertificateParts, string]>([
    ['the key', krl([[2, wireString(sshBlob(OURS))]]), {}, 'SSH_REVOKED'],
    ['the authority', krl([[2, wireString(by)]]), {}, 'SSH_REVOKED'],
    ['the authority by its hash', krl([[5, wireString(sha256(by))]]), {}, 'SSH_REVOKED'],
    ['another key', krl([[2, wireString(sshBlob(OTHER))]]), {}, 'ssh'],
    ['its number', krl([certificates(by, [0x20, wireUint64(1n)])]), {}, 'SSH_REVOKED'],
    ['its number, of any authority', krl([certificates(nothing, [0x20, wireUint64(1n)])]), {}, 'SSH_REVOKED'],
    ['its number, of another authority', krl([certificates(sshBlob(OTHER), [0x20, wireUint64(1n)])]), {}, 'ssh'],
    [
      'the last number there is',
      krl([certificates(by, [0x21, concatBytes(wireUint64(2n), wireUint64(2n ** 64n - 1n))])]),
      { serial: 2n ** 64n - 1n },
      'SSH_REVOKED',
    ],
    [
      'the last bit',
      krl([certificates(by, [0x22, concatBytes(wireUint64(10n), wireString(Uint8Array.of(1, 0)))])]),
      { serial: 18n },
      'SSH_REVOKED',
    ],
    [
      'the bit before',
      krl([certificates(by, [0x22, concatBytes(wireUint64(10n), wireString(Uint8Array.of(1, 0)))])]),
      { serial: 17n },
      'ssh',
    ],
    ['no number', krl([certificates(by, [0x21, concatBytes(wireUint64(1n), wireUint64(9n))])]), { serial: 0n }, 'ssh'],
    ['its name', krl([certificates(by, [0x23, str('who')])]), {}, 'SSH_REVOKED'],
    ['its name, in a second part', krl([certificates(by), certificates(by, [0x23, str('who')])]), {}, 'SSH_REVOKED'],
    ['what is no concern', krl([[255, concatBytes(str('x'), Uint8Array.of(0), str(''))]]), {}, 'ssh'],
    ['nothing', krl([]), {}, 'ssh'],
  ])('with %s', (_, list, parts, expected) => {
    expect(verdict(list, parts)).toBe(expected);
  });

  it('counts for plain keys too', () => {
    const line = `${NAME} ${sshKeyLine(OURS)}\n`;
    const sha1 = new Uint8Array(createHash('sha1').update(sshBlob(OURS)).digest());
    for (const section of [
      [2, wireString(sshBlob(OURS))],
      [3, wireString(sha1)],
      [5, wireString(sha256(sshBlob(OURS)))],
    ] as const) {
      expectCode(() => check(plain, { revoked: parseRevokedKeys(krl([section])) }, line), 'SSH_REVOKED');
    }
    expect(check(plain, { revoked: parseRevokedKeys(krl([certificates(by, [0x23, str('who')])])) }, line).role).toBe(
      'ssh',
    );
  });

  it.each<[string, Uint8Array]>([
    ['another format', krl([], 2)],
    ['a part nobody knows', krl([[6, nothing]])],
    ['a signature', concatBytes(krl([]), Uint8Array.of(4), wireString(by), wireString(nothing))],
    ['a critical extension', krl([[255, concatBytes(str('x'), Uint8Array.of(1), str(''))]])],
    ['half an extension', krl([[255, str('x')]])],
    ['a short SHA-1', krl([[3, wireString(new Uint8Array(19))]])],
    ['a long SHA-256', krl([[5, wireString(new Uint8Array(33))]])],
    ['a number cut short', krl([certificates(by, [0x20, new Uint8Array(7)])])],
    ['the number 0', krl([certificates(by, [0x20, wireUint64(0n)])])],
    ['numbers the wrong way round', krl([certificates(by, [0x21, concatBytes(wireUint64(9n), wireUint64(1n))])])],
    ['three ends of numbers', krl([certificates(by, [0x21, new Uint8Array(24).fill(1)])])],
    ['bytes after a bitmap', krl([certificates(by, [0x22, concatBytes(wireUint64(1n), str('x'), nothing, str(''))])])],
    ['a kind of certificates nobody knows', krl([certificates(by, [0x24, nothing])])],
    [
      'a critical extension about certificates',
      krl([certificates(by, [0x39, concatBytes(str('x'), Uint8Array.of(1), str(''))])]),
    ],
    ['a name with a NUL', krl([certificates(by, [0x23, str('a\0')])])],
    ['certificates of nobody', krl([[1, nothing]])],
    ['a part cut short', krl([[2, wireString(by)]]).slice(0, -1)],
    ['a length past its end', concatBytes(krl([]), Uint8Array.of(2, 255, 255, 255, 255))],
    ['a byte after it', concatBytes(krl([]), Uint8Array.of(2))],
    ['its mark alone', utf8('SSHKRL\n\0')],
  ])('is refused as a whole with %s', (_, list) => {
    expectCode(() => parseRevokedKeys(list), 'SSH_REVOKED_MALFORMED');
  });

  it('of 100 MB is refused', () => {
    expectCode(() => parseRevokedKeys(concatBytes(krl([]), new Uint8Array(100_000_000))), 'MATERIAL_TOO_LARGE');
  });
});
