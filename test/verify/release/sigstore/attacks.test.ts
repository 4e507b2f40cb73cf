import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decidingCheck } from '../../../../src/core/checks.ts';
import { releaseKeyFromSpki } from '../../../../src/verify/release/release-key.ts';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { type SigstoreTrust, verifySigstoreBundle } from '../../../../src/verify/release/sigstore/verify-bundle.ts';
import { bits, der, oid, sequence, text } from '../../../support/der.ts';
import { expectCode } from '../../../support/expect-code.ts';
import {
  attestationBundle,
  bundleBytes,
  extension,
  type Leaf,
  leaf,
  logged,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  pemOf,
  SIGNED_AT,
  type SignedBundle,
  statementAbout,
  uri,
} from '../../../support/sigstore-authority.ts';
import { artifactOf } from '../../../support/sigstore-vectors.ts';
import { ARTIFACT, edited, entryOf, type JudgeOptions, type Loose, material, refusal } from './judged.ts';

const OTHER = Buffer.from('another file\n');
const signer = leaf();
const root = readTrustedRoot(ownRoot(), 'own');
const trust: SigstoreTrust = { root, identity: { identity: OWN_IDENTITY, issuer: OWN_ISSUER } };

const sha256 = artifactOf(ARTIFACT).digests.sha256;
const aboutArtifact = statementAbout([{ name: 'release', digest: { sha256 } }]);

describe('what is accepted', () => {
  it.each([
    ['a signature', messageBundle(signer, ARTIFACT)],
    ['a signature over SHA-512', messageBundle(signer, ARTIFACT, { hash: 'sha512' })],
    ['an attestation', attestationBundle(signer, aboutArtifact)],
    [
      'an attestation with fractions in its predicate',
      attestationBundle(signer, statementAbout([{ name: 'a', digest: { sha256 } }], 'p', { score: 1.5 })),
    ],
    [
      'an entry of an older tree of the log',
      messageBundle(signer, ARTIFACT, { origin: 'log.example.com - 1193050959916656506' }),
    ],
  ])('%s', (_, bundle) => {
    expect(refusal(bundle)).toBeUndefined();
  });
});

describe('the artifact', () => {
  it('is the one that was signed', () => {
    expect(refusal(messageBundle(signer, ARTIFACT), { artifact: OTHER })).toBe('artifact ARTIFACT_MISMATCH');
    expect(refusal(attestationBundle(signer, aboutArtifact), { artifact: OTHER })).toBe('artifact SUBJECT_MISMATCH');
  });

  it.each([
    ['md5 alone', { md5: 'd41d8cd98f00b204e9800998ecf8427e' }, 'SUBJECT_MISMATCH'],
    ['no digest', {}, 'SUBJECT_MISMATCH'],
    ['a good digest beside a wrong one', { sha256, sha512: '0'.repeat(128) }, 'SUBJECT_MISMATCH'],
    ['half a digest', { sha256: sha256.slice(0, 32) }, 'STATEMENT_MALFORMED'],
    ['an empty digest', { sha256: '' }, 'STATEMENT_MALFORMED'],
    ['an upper-case digest', { sha256: sha256.toUpperCase() }, 'STATEMENT_MALFORMED'],
  ])('is not a subject with %s', (_, digest, code) => {
    const statement = statementAbout([{ name: 'release', digest: digest as Record<string, string> }]);
    expect(refusal(attestationBundle(signer, statement))).toBe(`artifact ${code}`);
  });

  it.each([
    ['another type of payload', { payloadType: 'application/json' }, 'PAYLOAD_TYPE'],
    ['a type with something added', { payloadType: 'application/vnd.in-toto+json; v=2' }, 'PAYLOAD_TYPE'],
  ])('is not what %s is about', (_, options, code) => {
    expect(refusal(attestationBundle(signer, aboutArtifact, options))).toBe(`artifact ${code}`);
  });

  it.each([
    ['no statement', Buffer.from('{}')],
    [
      'a subject named twice',
      Buffer.from(JSON.stringify(aboutArtifact).replace('"subject"', '"subject":[],"subject"')),
    ],
    ['a statement of another kind', { ...aboutArtifact, _type: 'https://in-toto.io/Statement/v9' }],
    ['a statement about nothing', statementAbout([])],
    ['binary noise', Buffer.from([0xff, 0xfe, 0x00])],
  ])('is not what %s is about', (_, payload) => {
    expect(refusal(attestationBundle(signer, payload))).toBe('artifact STATEMENT_MALFORMED');
  });

  it('needs its digest of the kind that was signed', () => {
    const artifact = { name: 'a', digests: { sha256 } };
    const { checks } = verifySigstoreBundle(
      artifact,
      bundleBytes(messageBundle(signer, ARTIFACT, { hash: 'sha512' })),
      trust,
    );
    expect(decidingCheck({ checks } as never)?.code).toBe('ARTIFACT_UNHASHED');
  });
});

describe('the identity', () => {
  const named = (value: string | Uint8Array) => messageBundle(leaf({ names: [uri(value)] }), ARTIFACT);
  const expecting = (identity: object): JudgeOptions => ({
    trust: { root, identity: { issuer: OWN_ISSUER, ...identity } as never },
  });

  it.each([
    ['with something before it', `https://evil.example/?${OWN_IDENTITY}`],
    ['with something after it', `${OWN_IDENTITY}.evil.example`],
    ['with a dot that is another character', OWN_IDENTITY.replace('example.com', 'exampleXcom')],
    ['in other case', OWN_IDENTITY.toUpperCase()],
    ['on a second line', `https://evil.example/\n${OWN_IDENTITY}`],
    ['after a NUL', `${OWN_IDENTITY}\u0000.evil`],
    ['with an invisible character', `${OWN_IDENTITY}\u200b`],
  ])('is compared whole: not one %s', (_, identity) => {
    expect(refusal(named(identity))).toBe('identity IDENTITY_MISMATCH');
  });

  it('keeps the high bit of each byte, which the library drops', () => {
    const forged = Buffer.from(OWN_IDENTITY).map((byte, i) => (i === 9 ? byte | 0x80 : byte));
    expect(refusal(named(forged))).toBe('certificate CERTIFICATE_REFUSED');
    const latin = Buffer.from(OWN_IDENTITY.replace('org', '\u0161\u0161'));
    expect(refusal(named(latin))).toBe('identity IDENTITY_MISMATCH');
  });

  it('has no pattern characters', () => {
    expect(refusal(messageBundle(signer, ARTIFACT), expecting({ identity: '.*' }))).toBe('identity IDENTITY_MISMATCH');
    const odd = 'https://example.com/(a+)+$[x]|.*\\';
    expect(refusal(named(odd), expecting({ identity: odd }))).toBeUndefined();
  });

  it('is matched whole by a pattern', () => {
    const bundle = messageBundle(signer, ARTIFACT);
    expect(
      refusal(bundle, expecting({ identityPattern: 'https://example\\.com/org/.*@refs/tags/v\\d+' })),
    ).toBeUndefined();
    for (const identityPattern of [
      'example',
      'https://example\\.com/org',
      '@refs/tags/v1',
      'x|https://example\\.com/org',
    ]) {
      expect(refusal(bundle, expecting({ identityPattern }))).toBe('identity IDENTITY_MISMATCH');
    }
    const second = named(`https://evil.example/\n${OWN_IDENTITY}`);
    expect(refusal(second, expecting({ identityPattern: 'https://example\\.com/.*' }))).toBe(
      'identity IDENTITY_MISMATCH',
    );
  });

  it.each(['(', 'a)|(?:.*', '[', '\\', '*'])(
    'refuses %s, which is no pattern, as a mistake of the caller',
    (identityPattern) => {
      expectCode(() => refusal(messageBundle(signer, ARTIFACT), expecting({ identityPattern })), 'IDENTITY_PATTERN');
    },
  );

  it('has one name and one provider', () => {
    const evil = uri('https://evil.example');
    expect(refusal(messageBundle(leaf({ names: [uri(OWN_IDENTITY), evil] }), ARTIFACT))).toBe(
      'certificate CERTIFICATE_REFUSED',
    );
    expect(refusal(messageBundle(leaf({ names: [] }), ARTIFACT))).toBe('certificate CERTIFICATE_REFUSED');
    expect(refusal(messageBundle(leaf({ names: [der(0x82, Buffer.from('dns.example'))] }), ARTIFACT))).toBe(
      'certificate CERTIFICATE_REFUSED',
    );
    const two = leaf({ extra: [extension('1.3.6.1.4.1.57264.1.1', Buffer.from('https://other.example'))] });
    expect(refusal(messageBundle(two, ARTIFACT))).toBe('certificate CERTIFICATE_REFUSED');
  });

  it('needs its provider, whole', () => {
    const bundle = messageBundle(leaf({ issuer: `${OWN_ISSUER}.evil.example` }), ARTIFACT);
    expect(refusal(bundle)).toBe('identity ISSUER_MISMATCH');
  });

  it('must be said', () => {
    expect(refusal(messageBundle(signer, ARTIFACT), { trust: { root } })).toBe('material IDENTITY_UNSAID');
    const key = releaseKeyFromSpki(signer.key.publicKey.export({ format: 'der', type: 'spki' }));
    expect(refusal(messageBundle(signer, ARTIFACT), { trust: { root, key } })).toBe('material IDENTITY_UNSAID');
  });

  it('reaches the report only escaped', () => {
    const { checks } = verifySigstoreBundle(
      artifactOf(ARTIFACT),
      bundleBytes(named('https://\u001b[2Jevil\u202e')),
      trust,
    );
    const reason = decidingCheck({ checks } as never)?.reason ?? '';
    expect(reason).toContain('\\x1b');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is left is the point
    expect(reason).not.toMatch(/[\u0000-\u001f\u202e]/);
  });
});

describe('the certificate', () => {
  const at = SIGNED_AT * 1000;
  const bad: [string, Leaf][] = [
    ['that had ended when it signed', leaf({ from: at - 120_000, to: at - 60_000 })],
    ['that had not begun', leaf({ from: at + 60_000, to: at + 120_000 })],
    ['that is not for code', leaf({ codeSigning: false })],
    ['of an authority', leaf({ isAuthority: true })],
    ['that was not logged', leaf({ withoutSct: true })],
    ['with an extension twice', leaf({ extra: [extension('1.3.6.1.4.1.57264.1.8', text(OWN_ISSUER))] })],
    ['with a critical extension nobody knows', leaf({ extra: [extension('1.2.3.4', text('x'), true)] })],
    ['by nobody we know', { der: selfSigned(), key: signer.key }],
  ];
  it.each(bad)('is refused %s', (_, certificate) => {
    expect(refusal(messageBundle(certificate, ARTIFACT))).toBe('certificate CERTIFICATE_REFUSED');
  });

  function selfSigned(): Buffer {
    const made = leaf();
    const copy = Buffer.from(made.der);
    // The last byte belongs to the authority's signature.
    copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1;
    return copy;
  }

  it('is refused when it is cut short', () => {
    const cut = { der: signer.der.subarray(0, signer.der.length - 20), key: signer.key };
    expect(refusal(messageBundle(cut, ARTIFACT))).toBe('material MATERIAL_MALFORMED');
  });

  it('is refused when the root has only half of its chain', () => {
    const half = JSON.parse(ownRoot().toString()) as Loose;
    const chain = ((half['certificateAuthorities'] as Loose)[0] as Loose)['certChain'] as Loose;
    Object.assign(chain, { certificates: [{ rawBytes: signer.der.toString('base64') }] });
    const cut = { ...trust, root: readTrustedRoot(Buffer.from(JSON.stringify(half)), 'half') };
    expect(refusal(messageBundle(leaf(), ARTIFACT), { trust: cut })).toBe('certificate CERTIFICATE_REFUSED');
  });
});

describe('the log', () => {
  const bundle = messageBundle(signer, ARTIFACT);
  const others = messageBundle(signer, OTHER);
  const attacks: [string, string, SignedBundle][] = [
    ['no entry', 'times TIMESTAMP_REFUSED', messageBundle(signer, ARTIFACT, { withoutLog: true })],
    [
      'the entry of another artifact',
      'transparency-log LOG_ENTRY_MISMATCH',
      edited(bundle, (copy) => {
        (material(copy)['tlogEntries'] as Loose)[0] = entryOf(others as never);
      }),
    ],
    [
      'an entry that names another signer',
      'transparency-log LOG_ENTRY_MISMATCH',
      messageBundle(signer, ARTIFACT, {
        loggedSigner: pemOf('CERTIFICATE', leaf().der),
      }),
    ],
    [
      'an entry that names two signers',
      'transparency-log LOG_ENTRY_MISMATCH',
      messageBundle(signer, ARTIFACT, {
        loggedSigner: pemOf('CERTIFICATE', signer.der) + pemOf('CERTIFICATE', leaf().der),
      }),
    ],
    [
      'an entry that names nobody',
      'transparency-log LOG_ENTRY_MISMATCH',
      messageBundle(signer, ARTIFACT, { loggedSigner: '' }),
    ],
    [
      'the checkpoint of another log',
      'transparency-log LOG_ENTRY_REFUSED',
      messageBundle(signer, ARTIFACT, { origin: 'other.example.com' }),
    ],
    [
      'a checkpoint of a part of the name',
      'transparency-log LOG_ENTRY_REFUSED',
      messageBundle(signer, ARTIFACT, { origin: 'example.com' }),
    ],
    [
      'another log’s id over this log’s entry',
      'transparency-log LOG_ENTRY_REFUSED',
      edited(bundle, (copy) => {
        entryOf(copy)['logId'] = entryOf(messageBundle(signer, ARTIFACT, { otherLog: true }) as never)[
          'logId'
        ] as never;
      }),
    ],
    [
      'a proof with one hash more',
      'transparency-log LOG_ENTRY_REFUSED',
      edited(bundle, (copy) => {
        Object.assign(entryOf(copy)['inclusionProof'] as Loose, { hashes: [Buffer.alloc(32).toString('base64')] });
      }),
    ],
    [
      'a proof for another root',
      'transparency-log LOG_ENTRY_REFUSED',
      edited(bundle, (copy) => {
        Object.assign(entryOf(copy)['inclusionProof'] as Loose, { rootHash: Buffer.alloc(32).toString('base64') });
      }),
    ],
    [
      'a proof for another size',
      'transparency-log LOG_ENTRY_REFUSED',
      edited(bundle, (copy) => {
        Object.assign(entryOf(copy)['inclusionProof'] as Loose, { treeSize: '2' });
      }),
    ],
    [
      'a later time than was promised',
      'certificate CERTIFICATE_REFUSED',
      edited(bundle, (copy) => {
        Object.assign(entryOf(copy), { integratedTime: String(SIGNED_AT + 3600) });
      }),
    ],
    [
      'a time within the certificate that was not promised',
      'transparency-log LOG_ENTRY_REFUSED',
      edited(bundle, (copy) => {
        Object.assign(entryOf(copy), { integratedTime: String(SIGNED_AT + 1) });
      }),
    ],
    ['no promise, so no time', 'times TIMESTAMP_REFUSED', messageBundle(signer, ARTIFACT, { withoutPromise: true })],
    [
      'no proof, which version 0.3 demands',
      'material MATERIAL_MALFORMED',
      messageBundle(signer, ARTIFACT, { withoutProof: true }),
    ],
    [
      'the same entry twice',
      'times TIMESTAMP_REFUSED',
      edited(bundle, (copy) => {
        (material(copy)['tlogEntries'] as Loose).push(entryOf(copy));
      }),
    ],
  ];
  it.each(attacks)('refuses %s', (_, expected, attack) => {
    expect(refusal(attack)).toBe(expected);
  });

  it('refuses an entry of after the end of the log’s key, or before its start', () => {
    const start = new Date((SIGNED_AT + 10) * 1000).toISOString();
    const late = { ...trust, root: readTrustedRoot(ownRoot({ logValidFor: { start } }), 'late') };
    expect(refusal(bundle, { trust: late })).toBe('transparency-log LOG_ENTRY_REFUSED');
  });

  it('counts distinct logs and sources of time, not entries', () => {
    const two = edited(bundle, (copy) => {
      const second = entryOf(messageBundle(signer, ARTIFACT, { otherLog: true }) as never);
      (material(copy)['tlogEntries'] as Loose).push(second);
    });
    expect(refusal(two)).toBe('transparency-log LOG_ENTRY_MISMATCH');
    const body = JSON.parse(Buffer.from(String(entryOf(bundle as never)['canonicalizedBody']), 'base64').toString());
    const other = edited(bundle, (copy) => {
      (material(copy)['tlogEntries'] as Loose).push(logged('hashedrekord', body.spec, { otherLog: true }) as never);
    });
    const demanding = { trust: { ...trust, thresholds: { logs: 2, times: 2 } } };
    expect(refusal(other, demanding)).toBeUndefined();
    // The same log once more: a body with a member more is another leaf, by the same signer over the same artifact.
    const again = edited(bundle, (copy) => {
      const spec = { ...body.spec, note: 'once more' };
      (material(copy)['tlogEntries'] as Loose).push(
        logged('hashedrekord', spec, { index: 3, time: SIGNED_AT + 1 }) as never,
      );
    });
    expect(refusal(again, demanding)).toBe('times TIMESTAMP_REFUSED');
    expect(refusal(again, { trust: { ...trust, thresholds: { logs: 2 } } })).toBe('transparency-log LOG_ENTRY_REFUSED');
    expect(refusal(bundle, { trust: { ...trust, thresholds: { logs: 2 } } })).toBe(
      'transparency-log LOG_ENTRY_REFUSED',
    );
    expect(refusal(bundle, { trust: { ...trust, thresholds: { times: 2 } } })).toBe('times TIMESTAMP_REFUSED');
    expect(refusal(bundle, { trust: { ...trust, thresholds: { certificateLogs: 2 } } })).toBe(
      'certificate CERTIFICATE_REFUSED',
    );
    expect(
      refusal(messageBundle(signer, ARTIFACT, { withoutLog: true }), {
        trust: { ...trust, thresholds: { logs: 0, times: 0 } },
      }),
    ).toBe('times TIMESTAMP_REFUSED');
  });
});

describe('a plain key', () => {
  const ed25519: Leaf = { der: Buffer.alloc(0), key: generateKeyPairSync('ed25519') };
  const rsa: Leaf = { der: Buffer.alloc(0), key: generateKeyPairSync('rsa', { modulusLength: 2048 }) };
  const p384: Leaf = { der: Buffer.alloc(0), key: generateKeyPairSync('ec', { namedCurve: 'P-384' }) };
  const keyOf = (of: Leaf, validFor?: { start?: number; end?: number }) =>
    releaseKeyFromSpki(of.key.publicKey.export({ format: 'der', type: 'spki' }), validFor);
  const by = (of: Leaf, more: Partial<SigstoreTrust> = {}): SigstoreTrust => ({ root, key: keyOf(of), ...more });

  it.each([
    ['Ed25519', ed25519, 'sha256'],
    ['RSA', rsa, 'sha256'],
    ['RSA', rsa, 'sha512'],
    ['P-256', signer, 'sha256'],
    ['P-384', p384, 'sha384'],
  ] as const)('of %s verifies signature (%3$s) and attestation', (_, of, hash) => {
    const options = { trust: by(of), inMemory: true };
    expect(refusal(messageBundle(of, ARTIFACT, { plainKey: true, hash }), options)).toBeUndefined();
    expect(refusal(attestationBundle(of, aboutArtifact, { plainKey: true }), options)).toBeUndefined();
  });

  it('of Ed25519 needs the artifact itself', () => {
    const bundle = messageBundle(ed25519, ARTIFACT, { plainKey: true });
    expect(refusal(bundle, { trust: by(ed25519) })).toBe('signature ARTIFACT_UNHASHED');
    expect(refusal(bundle, { trust: by(ed25519), inMemory: true, artifact: OTHER })).toBe(
      'signature SIGNATURE_REFUSED',
    );
  });

  it.each([ed25519, rsa, signer, p384])('refuses what another key signed', (of) => {
    const stranger: Leaf = { der: Buffer.alloc(0), key: generateKeyPairSync('ec', { namedCurve: 'P-256' }) };
    const options = { trust: by(stranger), inMemory: true };
    expect(refusal(messageBundle(of, ARTIFACT, { plainKey: true }), options)).toBe(
      'transparency-log LOG_ENTRY_MISMATCH',
    );
    const unlogged = messageBundle(of, ARTIFACT, { plainKey: true, withoutLog: true });
    expect(refusal(unlogged, { ...options, trust: { ...options.trust, thresholds: { logs: 0 } } })).toBe(
      'signature SIGNATURE_REFUSED',
    );
  });

  it('needs the log unless it is said that it does not', () => {
    const unlogged = messageBundle(signer, ARTIFACT, { plainKey: true, withoutLog: true });
    expect(refusal(unlogged, { trust: by(signer) })).toBe('transparency-log LOG_ENTRY_REFUSED');
    expect(refusal(unlogged, { trust: by(signer, { thresholds: { logs: 0 } }) })).toBeUndefined();
  });

  it('that has ended is refused, above all when nothing says when it signed', () => {
    const [before, after] = [(SIGNED_AT - 10) * 1000, (SIGNED_AT + 10) * 1000];
    const bundle = messageBundle(signer, ARTIFACT, { plainKey: true });
    const timed = (validFor: object, more: Partial<SigstoreTrust> = {}) => ({
      trust: { root, key: keyOf(signer, validFor), ...more },
    });
    expect(refusal(bundle, timed({ end: after }))).toBeUndefined();
    expect(refusal(bundle, timed({ end: before }))).toBe('key KEY_EXPIRED');
    expect(refusal(bundle, timed({ start: after }))).toBe('key KEY_EXPIRED');
    const unlogged = messageBundle(signer, ARTIFACT, { plainKey: true, withoutLog: true });
    expect(refusal(unlogged, timed({ end: before }, { thresholds: { logs: 0 } }))).toBe('times TIMESTAMP_REFUSED');
    expectCode(() => keyOf(signer, { start: Number.NaN }), 'KEY_REFUSED');
    expectCode(() => keyOf(signer, { start: after, end: before }), 'KEY_REFUSED');
  });

  it.each([
    ['of low order', Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.alloc(32)])],
    [
      'of 1024 bits',
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'der', type: 'spki' }),
    ],
    [
      'of another curve',
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'der', type: 'spki' }),
    ],
    [
      'with the exponent 1',
      rsaSpki(Buffer.concat([Buffer.from([0xd1]), Buffer.alloc(254, 0x5a), Buffer.from([0x7f])]), Buffer.from([1])),
    ],
    ['whose point is compressed', compressed(signer.key.publicKey.export({ format: 'der', type: 'spki' }))],
    ['of another kind', generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' })],
    [
      'with bytes after it',
      Buffer.concat([signer.key.publicKey.export({ format: 'der', type: 'spki' }), Buffer.alloc(1)]),
    ],
    ['that is none', sequence(oid('1.2.3'))],
  ])('%s is refused', (_, spki) => {
    expectCode(() => releaseKeyFromSpki(spki), 'KEY_REFUSED');
  });

  it('is asked for where the bundle has no certificate', () => {
    expect(refusal(messageBundle(signer, ARTIFACT, { plainKey: true }))).toBe('material KEY_MISSING');
  });
});

function rsaSpki(n: Uint8Array, e: Uint8Array): Buffer {
  const numbers = sequence(der(0x02, Buffer.concat([Buffer.alloc(1), n])), der(0x02, e));
  return sequence(sequence(oid('1.2.840.113549.1.1.1'), der(0x05)), bits(numbers));
}

/** The same point by its x and one bit of its y. */
function compressed(spki: Uint8Array): Buffer {
  const point = Buffer.from(spki.subarray(-65));
  const short = Buffer.concat([Buffer.from([0x02 | ((point[64] ?? 0) & 1)]), point.subarray(1, 33)]);
  return sequence(sequence(oid('1.2.840.10045.2.1'), oid('1.2.840.10045.3.1.7')), bits(short));
}

describe('the material', () => {
  const bundle = messageBundle(signer, ARTIFACT);
  const attestation = attestationBundle(signer, aboutArtifact);
  const text_ = JSON.stringify(bundle);
  const malformed: [string, string, SignedBundle | Uint8Array][] = [
    ['nothing', 'MATERIAL_MALFORMED', Buffer.alloc(0)],
    [
      'a bundle with a key twice',
      'MATERIAL_MALFORMED',
      Buffer.from(text_.replace('"mediaType"', '"mediaType":"x","mediaType"')),
    ],
    ['a bundle with something after it', 'MATERIAL_MALFORMED', Buffer.from(`${text_}{}`)],
    ['a member nobody knows', 'MATERIAL_MALFORMED', { ...bundle, extra: 1 }],
    ['both kinds of content', 'MATERIAL_MALFORMED', { ...bundle, dsseEnvelope: attestation['dsseEnvelope'] }],
    ['no content', 'MATERIAL_MALFORMED', { ...bundle, messageSignature: null }],
    [
      'a version to come',
      'MEDIA_TYPE_UNKNOWN',
      { ...bundle, mediaType: 'application/vnd.dev.sigstore.bundle.v0.4+json' },
    ],
    ['a type with something added', 'MEDIA_TYPE_UNKNOWN', { ...bundle, mediaType: `${bundle['mediaType']};x=1` }],
    ['no type', 'MEDIA_TYPE_UNKNOWN', { ...bundle, mediaType: null }],
    [
      'two signatures',
      'SIGNATURE_COUNT',
      edited(attestation, (copy: Loose) => {
        const signatures = (copy['dsseEnvelope'] as Loose)['signatures'] as Loose;
        signatures.push(signatures[0] as Loose);
      }),
    ],
    [
      'no signatures',
      'SIGNATURE_COUNT',
      edited(attestation, (copy: Loose) => {
        Object.assign(copy['dsseEnvelope'] as Loose, { signatures: [] });
      }),
    ],
    [
      'a digest cut short',
      'MATERIAL_MALFORMED',
      edited(bundle, (copy: Loose) => {
        Object.assign((copy['messageSignature'] as Loose)['messageDigest'] as Loose, {
          digest: Buffer.alloc(31).toString('base64'),
        });
      }),
    ],
    [
      'a digest of a weak hash',
      'MATERIAL_MALFORMED',
      edited(bundle, (copy: Loose) => {
        Object.assign((copy['messageSignature'] as Loose)['messageDigest'] as Loose, { algorithm: 'SHA1' });
      }),
    ],
    [
      'base64 with spare bits',
      'MATERIAL_MALFORMED',
      edited(bundle, (copy: Loose) => {
        Object.assign(copy['messageSignature'] as Loose, { signature: 'MEUCIQ=='.replace('Q==', 'R==') });
      }),
    ],
    [
      'an index that is a fraction',
      'MATERIAL_MALFORMED',
      edited(bundle, (copy: Loose) => {
        Object.assign(entryOf(copy), { logIndex: '1e3' });
      }),
    ],
    [
      'entries that are no list',
      'MATERIAL_MALFORMED',
      edited(bundle, (copy: Loose) => {
        Object.assign(material(copy), { tlogEntries: {} });
      }),
    ],
    [
      'a timestamp that is none',
      'MATERIAL_MALFORMED',
      edited(bundle, (copy: Loose) => {
        Object.assign(material(copy), {
          timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: 'MAMCAQA=' }] },
        });
      }),
    ],
    [
      'a chain in version 0.3',
      'MATERIAL_MALFORMED',
      edited(bundle, (copy: Loose) => {
        const { certificate } = material(copy);
        Object.assign(material(copy), { x509CertificateChain: { certificates: [certificate] }, certificate: null });
      }),
    ],
    ['depth', 'MATERIAL_MALFORMED', Buffer.from('['.repeat(200_000))],
  ];
  it.each(malformed)('is refused with %s', (_, code, attack) => {
    expect(refusal(attack)).toBe(`material ${code}`);
  });

  it('is refused unread when it is a hundred megabytes', () => {
    expect(refusal(new Uint8Array(100_000_000).fill(0x20))).toBe('material MATERIAL_TOO_LARGE');
  });

  it('is refused when its signature is of another message', () => {
    const signature = sign('sha256', OTHER, signer.key.privateKey).toString('base64');
    const attack = edited(bundle, (copy: Loose) => Object.assign(copy['messageSignature'] as Loose, { signature }));
    expect(refusal(attack)).toBe('transparency-log LOG_ENTRY_MISMATCH');
  });
});
