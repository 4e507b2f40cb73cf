import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import { decidingCheck, verdictOf } from '../../../../src/core/checks.ts';
import type { MethodOutcome } from '../../../../src/verify/release/method.ts';
import { verifyNpmAttestations } from '../../../../src/verify/release/npm/attestations.ts';
import { NPM_REGISTRY_KEYS } from '../../../../src/verify/release/npm/public-keys.ts';
import { readRegistryKeys } from '../../../../src/verify/release/npm/registry-keys.ts';
import { verifyRegistrySignature } from '../../../../src/verify/release/npm/registry-signature.ts';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { expectCode } from '../../../support/expect-code.ts';
import {
  attestationBundle,
  type Leaf,
  leaf,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  SIGNED_AT,
  type SignedBundle,
  statementAbout,
} from '../../../support/sigstore-authority.ts';
import { artifactOf } from '../../../support/sigstore-vectors.ts';

const TARBALL = Buffer.from('a package\n');
const artifact = artifactOf(TARBALL);
const wanted = { name: '@org/pkg', version: '1.2.3' };
const integrity = `sha512-${createHash('sha512').update(TARBALL).digest('base64')}`;

const registry = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const keysJson = (expires: string | null = null, pair = registry) => ({
  keys: [
    {
      keyid: 'SHA256:registry',
      expires,
      keytype: 'ecdsa-sha2-nistp256',
      scheme: 'ecdsa-sha2-nistp256',
      key: pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
    },
  ],
});
const keys = (expires?: string) => readRegistryKeys(utf8(JSON.stringify(keysJson(expires))));

function why({ checks, signers }: MethodOutcome): string | undefined {
  if (verdictOf(checks) === 'trusted') return undefined;
  expect(signers).toEqual([]);
  const deciding = decidingCheck({ checks } as never);
  return `${deciding?.name} ${deciding?.code}`;
}

describe('keys of a registry', () => {
  it('of npm are those that were published', () => {
    const digest = createHash('sha256').update(NPM_REGISTRY_KEYS).digest('hex');
    expect(digest).toBe('160677eb6e1c7083c89b166b20f8fe4e837fb71181506aff1991b80b89184f7d');
    const read = readRegistryKeys(utf8(NPM_REGISTRY_KEYS));
    expect(read.map(({ usage }) => usage)).toEqual(['signatures', 'attestations', 'signatures', 'attestations']);
  });

  it.each([
    ['no list', '{}'],
    ['an empty list', '{"keys":[]}'],
    ['an end that is a word', JSON.stringify(keysJson('never'))],
    ['an end that is a number', JSON.stringify(keysJson(5 as never))],
    ['a key of another type', JSON.stringify(keysJson()).replace('ecdsa-sha2-nistp256', 'rsa')],
    ['a key twice', JSON.stringify(keysJson()).replace('"keyid"', '"keyid":"x","keyid"')],
  ])('are refused with %s', (_, json) => {
    expectCode(() => readRegistryKeys(utf8(json)), 'KEY_REFUSED');
  });
});

describe('a signature of the registry', () => {
  const signature = (message: string, pair = registry, keyid = 'SHA256:registry') => ({
    keyid,
    sig: sign('sha256', Buffer.from(message), pair.privateKey).toString('base64'),
  });
  const good = signature(`@org/pkg@1.2.3:${integrity}`);
  const verified = (dist: object, of: object = wanted, using = keys(), what = artifact) =>
    why(verifyRegistrySignature(what, utf8(JSON.stringify({ ...of, dist, score: 1.5 })), wanted, using));

  it('is accepted over name, version and digest', () => {
    expect(verified({ integrity, signatures: [good] })).toBeUndefined();
  });

  it.each([
    ['of another version', [signature(`@org/pkg@1.2.4:${integrity}`)], 'signature SIGNATURE_REFUSED'],
    [
      'of another key under its name',
      [signature(`@org/pkg@1.2.3:${integrity}`, stranger)],
      'signature SIGNATURE_REFUSED',
    ],
    ['of a key nobody pinned', [{ ...good, keyid: 'SHA256:other' }], 'key KEY_MISSING'],
    ['of nobody', [], 'material MATERIAL_MALFORMED'],
    ['in loose base64', [{ ...good, sig: `${good.sig}\n` }], 'material MATERIAL_MALFORMED'],
  ])('is refused %s', (_, signatures, expected) => {
    expect(verified({ integrity, signatures })).toBe(expected);
  });

  it('is refused over another package, another file or another kind of digest', () => {
    expect(verified({ integrity, signatures: [good] }, { name: 'pkg', version: '1.2.3' })).toBe(
      'material MATERIAL_MALFORMED',
    );
    expect(verified({ integrity, signatures: [good] }, wanted, keys(), artifactOf(Buffer.from('x')))).toBe(
      'artifact ARTIFACT_MISMATCH',
    );
    const weak = 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=';
    expect(verified({ integrity: weak, signatures: [signature(`@org/pkg@1.2.3:${weak}`)] })).toBe(
      'artifact MATERIAL_MALFORMED',
    );
    const both = `${integrity} ${integrity}`;
    expect(verified({ integrity: both, signatures: [signature(`@org/pkg@1.2.3:${both}`)] })).toBe(
      'artifact MATERIAL_MALFORMED',
    );
  });

  it('is refused under a key with an end, since nothing says when it was made', () => {
    expect(verified({ integrity, signatures: [good] }, wanted, keys('2099-01-01T00:00:00.000Z'))).toBe(
      'key KEY_EXPIRED',
    );
  });
});

describe('attestations of a package', () => {
  const PUBLISH = 'https://github.com/npm/attestation/tree/main/specs/publish/v0.1';
  const SLSA = 'https://slsa.dev/provenance/v1';
  const by: Leaf = { der: Buffer.alloc(0), key: registry };
  const subject = (name = 'pkg:npm/%40org/pkg@1.2.3') => [{ name, digest: { sha512: artifact.digests.sha512 ?? '' } }];
  const builder = { buildDefinition: { buildType: 't' }, runDetails: { builder: { id: 'https://builder.example' } } };
  const hinted = (bundle: SignedBundle): SignedBundle => {
    const copy = structuredClone(bundle) as { verificationMaterial: { publicKey: { hint: string } } } & SignedBundle;
    copy.verificationMaterial.publicKey.hint = 'SHA256:registry';
    return copy;
  };
  const publish = (about = subject(), signer = by, type = PUBLISH) =>
    hinted(attestationBundle(signer, statementAbout(about, type), { plainKey: true }));
  const build = (about = subject(), type = SLSA) => attestationBundle(leaf(), statementAbout(about, type, builder));
  const entry = (predicateType: string, bundle: SignedBundle) => ({ predicateType, bundle });
  const trust = (expires?: string) => ({
    root: readTrustedRoot(ownRoot(), 'own'),
    keys: keys(expires),
    identity: { identity: OWN_IDENTITY, issuer: OWN_ISSUER },
  });
  const verified = (attestations: unknown, more: object = {}, expires?: string) =>
    why(
      verifyNpmAttestations(artifact, utf8(JSON.stringify({ attestations })), wanted, { ...trust(expires), ...more }),
    );
  const both = [entry(PUBLISH, publish()), entry(SLSA, build())];

  it('are accepted: the registry’s and the build’s', () => {
    expect(verified(both)).toBeUndefined();
    expect(verified(both, { policy: { builder: 'https://builder.example' } })).toBeUndefined();
  });

  it('are refused by policy', () => {
    expect(verified(both, { policy: { builder: 'https://other.example' } })).toBe('provenance POLICY_NOT_MET');
  });

  it.each([
    ['without the build', [both[0]], 'material PROVENANCE_MISSING'],
    ['without the publishing', [both[1]], 'material PROVENANCE_MISSING'],
    ['with two builds', [...both, both[1]], 'material SIGNATURE_COUNT'],
    ['with something else', [...both, 1], 'material MATERIAL_MALFORMED'],
    ['with no list', {}, 'material MATERIAL_MALFORMED'],
    [
      'about another package',
      [entry(PUBLISH, publish(subject('pkg:npm/pkg@1.2.3'))), both[1]],
      'package SUBJECT_MISMATCH',
    ],
    [
      'about another version',
      [both[0], entry(SLSA, build(subject('pkg:npm/%40org/pkg@1.2.2')))],
      'package SUBJECT_MISMATCH',
    ],
    [
      'about a name that is written another way',
      [both[0], entry(SLSA, build(subject('pkg:npm/@org/pkg@1.2.3')))],
      'package SUBJECT_MISMATCH',
    ],
    [
      'about a name in capitals',
      [entry(PUBLISH, publish(subject('pkg:npm/%40Org/pkg@1.2.3'))), both[1]],
      'package SUBJECT_MISMATCH',
    ],
    [
      'about a version and a bit',
      [both[0], entry(SLSA, build(subject('pkg:npm/%40org/pkg@1.2.3?registry_url=https://evil.example')))],
      'package SUBJECT_MISMATCH',
    ],
    [
      'about another package besides',
      [both[0], entry(SLSA, build([...subject(), ...subject('pkg:npm/evil@1.0.0')]))],
      'package SUBJECT_MISMATCH',
    ],
    [
      'about another file of that name',
      [both[0], entry(SLSA, build([{ name: 'pkg:npm/%40org/pkg@1.2.3', digest: { sha512: '0'.repeat(128) } }]))],
      'build SUBJECT_MISMATCH',
    ],
    ['said to be of each other’s types', [entry(PUBLISH, build()), entry(SLSA, publish())], 'publish KEY_MISSING'],
    [
      'of a type that is only said outside',
      [both[0], entry(SLSA, build(subject(), 'https://example.com/x'))],
      'package PREDICATE_TYPE',
    ],
    [
      'by another key than the registry’s',
      [entry(PUBLISH, publish(subject(), { der: Buffer.alloc(0), key: stranger })), both[1]],
      'publish LOG_ENTRY_MISMATCH',
    ],
    [
      'by a key without a name',
      [entry(PUBLISH, attestationBundle(by, statementAbout(subject(), PUBLISH), { plainKey: true })), both[1]],
      'publish KEY_MISSING',
    ],
  ])('are refused %s', (_, attestations, expected) => {
    expect(verified(attestations)).toBe(expected);
  });

  it('count under a key that has ended only if it signed before', () => {
    expect(verified(both, {}, new Date(SIGNED_AT * 1000 + 1000).toISOString())).toBeUndefined();
    expect(verified(both, {}, new Date(SIGNED_AT * 1000 - 1000).toISOString())).toBe('publish KEY_EXPIRED');
  });
});
