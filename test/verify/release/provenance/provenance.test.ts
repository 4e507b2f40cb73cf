import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import { decidingCheck, verdictOf } from '../../../../src/core/checks.ts';
import { type ReleasePolicy, readPolicy } from '../../../../src/verify/release/provenance/policy.ts';
import { verifyBundleLines } from '../../../../src/verify/release/sigstore/many.ts';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import type { SigstoreTrust } from '../../../../src/verify/release/sigstore/verify-bundle.ts';
import { text } from '../../../support/der.ts';
import { expectCode } from '../../../support/expect-code.ts';
import {
  attestationBundle,
  extension,
  type Leaf,
  leaf,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  statementAbout,
  uri,
} from '../../../support/sigstore-authority.ts';
import { artifactOf } from '../../../support/sigstore-vectors.ts';

const ARTIFACT = Buffer.from('the release\n');
const artifact = artifactOf(ARTIFACT);
const COMMIT = 'c7b3dfb335f051e1c86bda4c716fac97df62ad81';
const SOURCE = 'https://github.com/org/repo';
const BUILDER = 'https://github.com/actions/runner/github-hosted';
const subject = [{ name: 'release', digest: { sha256: artifact.digests.sha256 } }];
const trust: SigstoreTrust = {
  root: readTrustedRoot(ownRoot(), 'own'),
  identity: { identityPattern: 'https://example\\.com/.*', issuer: OWN_ISSUER },
};
const signer = leaf();

const v1 = (changes: object = {}): object => ({
  buildDefinition: {
    buildType: 'https://actions.github.io/buildtypes/workflow/v1',
    externalParameters: {
      workflow: { ref: 'refs/tags/v1', repository: SOURCE, path: '.github/workflows/release.yml' },
    },
    resolvedDependencies: [{ uri: `git+${SOURCE}@refs/tags/v1`, digest: { gitCommit: COMMIT } }],
    ...changes,
  },
  runDetails: { builder: { id: BUILDER } },
});

const v02 = (): object => ({
  builder: { id: BUILDER },
  buildType: 'https://github.com/npm/cli/gha/v2',
  invocation: {
    configSource: {
      uri: `git+${SOURCE}@refs/tags/v1`,
      digest: { sha1: COMMIT },
      entryPoint: '.github/workflows/release.yml',
    },
  },
  materials: [{ uri: `git+${SOURCE}@refs/tags/v1`, digest: { sha1: COMMIT } }],
});

function bundleOf(predicate: object, type = 'https://slsa.dev/provenance/v1', by: Leaf = signer): object {
  return attestationBundle(by, statementAbout(subject, type, predicate));
}

function judged(bundles: readonly object[], policy?: ReleasePolicy): string | undefined {
  const lines = Buffer.from(bundles.map((bundle) => JSON.stringify(bundle)).join('\n'));
  const { checks, signers } = verifyBundleLines(artifact, lines, trust, policy);
  if (verdictOf(checks) === 'trusted') return undefined;
  expect(signers).toEqual([]);
  const deciding = decidingCheck({ checks } as never);
  return `${deciding?.name} ${deciding?.code}`;
}

const FULL: ReleasePolicy = {
  builder: BUILDER,
  source: SOURCE,
  ref: 'refs/tags/v1',
  commit: COMMIT,
  workflow: '.github/workflows/release.yml',
};

describe('provenance under a policy', () => {
  it('is accepted when it meets every field, in v1 and in v0.2', () => {
    expect(judged([bundleOf(v1())], FULL)).toBeUndefined();
    expect(judged([bundleOf(v02(), 'https://slsa.dev/provenance/v0.2')], FULL)).toBeUndefined();
  });

  it.each([
    ['builder', 'https://evil.example/builder'],
    ['builder', `${BUILDER}/`],
    ['source', 'https://github.com/org/repo2'],
    ['source', 'https://github.com/org'],
    ['ref', 'refs/tags/v2'],
    ['ref', 'refs/heads/v1'],
    ['commit', COMMIT.replace('c', 'd')],
    ['workflow', '.github/workflows/other.yml'],
    ['buildType', 'https://example.com'],
  ])('is refused when only %s is another: %s', (field, value) => {
    expect(judged([bundleOf(v1())], { ...FULL, [field]: value })).toBe('provenance POLICY_NOT_MET');
    const old = bundleOf(v02(), 'https://slsa.dev/provenance/v0.2');
    expect(judged([old], { ...FULL, [field]: value })).toBe('provenance POLICY_NOT_MET');
  });

  it('is refused when it does not say what is asked', () => {
    const silent = v1({ externalParameters: {}, resolvedDependencies: [] });
    expect(judged([bundleOf(silent)], { source: SOURCE })).toBe('provenance POLICY_NOT_MET');
    expect(judged([bundleOf(silent)], { ref: 'refs/tags/v1' })).toBe('provenance POLICY_NOT_MET');
    expect(judged([bundleOf(silent)], { builder: BUILDER })).toBeUndefined();
  });

  it('takes no value from a list in which two would do', () => {
    const twice = v1({
      resolvedDependencies: [
        { uri: `git+${SOURCE}@refs/tags/v1`, digest: { gitCommit: 'd'.repeat(40) } },
        { uri: `git+${SOURCE}@refs/tags/v1`, digest: { gitCommit: COMMIT } },
      ],
    });
    expect(judged([bundleOf(twice)], FULL)).toBe('provenance POLICY_NOT_MET');
  });

  it.each([
    [
      'two refs',
      v1({ resolvedDependencies: [{ uri: `git+${SOURCE}@refs/heads/main`, digest: { gitCommit: COMMIT } }] }),
    ],
    [
      'a repository with somebody before it, which reads as a ref',
      v1({ externalParameters: { workflow: { ref: 'refs/tags/v1', repository: 'https://evil@github.com/org/repo' } } }),
    ],
    ['no builder', { ...v1(), runDetails: {} }],
    ['no definition', { runDetails: { builder: { id: BUILDER } } }],
  ])('is refused with %s', (_, predicate) => {
    expect(judged([bundleOf(predicate)], FULL)).toBe('provenance PROVENANCE_MALFORMED');
  });

  it('must be there', () => {
    const other = bundleOf(v1(), 'https://slsa.dev/verification_summary/v1');
    expect(judged([other])).toBeUndefined();
    expect(judged([other], FULL)).toBe('provenance PROVENANCE_MISSING');
    expect(judged([bundleOf(v1(), 'https://slsa.dev/provenance/v9')], FULL)).toBe('provenance PROVENANCE_MISSING');
  });

  it('counts only by the expected signer', () => {
    const stranger = leaf({ issuer: 'https://evil.example' });
    expect(judged([bundleOf(v1(), undefined, stranger)], FULL)).toBe('identity ISSUER_MISMATCH');
    const strangersBuild = v1({
      externalParameters: { workflow: { repository: 'https://evil.example', path: 'x', ref: 'refs/x' } },
    });
    expect(judged([bundleOf(strangersBuild), bundleOf(v1(), undefined, stranger)], FULL)).toBe(
      'provenance POLICY_NOT_MET',
    );
  });

  it('must meet all fields in one piece', () => {
    const half = v1({
      externalParameters: { workflow: { ref: 'refs/tags/v1', repository: SOURCE, path: 'other.yml' } },
    });
    const rest = v1({
      externalParameters: {
        workflow: { ref: 'refs/tags/v9', repository: SOURCE, path: '.github/workflows/release.yml' },
      },
      resolvedDependencies: [],
    });
    expect(judged([bundleOf(half), bundleOf(rest)], FULL)).toBe('provenance POLICY_NOT_MET');
  });

  it('must agree with what the certificate says of the build', () => {
    const claim = (oid: string, value: string) => leaf({ extra: [extension(oid, text(value))] });
    expect(judged([bundleOf(v1(), undefined, claim('1.3.6.1.4.1.57264.1.12', SOURCE))], FULL)).toBeUndefined();
    for (const liar of [
      claim('1.3.6.1.4.1.57264.1.12', 'https://github.com/evil/repo'),
      claim('1.3.6.1.4.1.57264.1.13', 'd'.repeat(40)),
      claim('1.3.6.1.4.1.57264.1.14', 'refs/heads/main'),
    ]) {
      expect(judged([bundleOf(v1(), undefined, liar)], FULL)).toBe('provenance POLICY_NOT_MET');
    }
  });

  const BY_WORKFLOW = `${SOURCE}/.github/workflows/builder.yml@refs/tags/v2`;
  const claims = (more: Readonly<Record<string, string>>) =>
    leaf({
      extra: Object.entries({ 12: SOURCE, 14: 'refs/tags/v1', ...more }).map(([arc, value]) =>
        extension(`1.3.6.1.4.1.57264.1.${arc}`, text(value)),
      ),
    });
  const config = (path: string, ref = 'refs/tags/v1', source = SOURCE) => ({ 18: `${source}/${path}@${ref}` });
  it.each<[string, Readonly<Record<string, string>>, string?]>([
    ['the same recipe', config('.github/workflows/release.yml')],
    ['the same recipe, as another forge writes it', config('/.github/workflows/release.yml')],
    ['the same kind of runner', { 11: 'github-hosted' }],
    ['the same workflow as builder', { 9: BY_WORKFLOW }, BY_WORKFLOW],
    ['a workflow, where the builder is a runner', { 9: BY_WORKFLOW, 11: 'github-hosted' }],
    ['a workflow and a runner, where the builder is something else', { 9: BY_WORKFLOW, 11: 'self-hosted' }, 'urn:b'],
  ])('may have a certificate that says %s', (_, more, builder = BUILDER) => {
    const predicate = { ...v1(), runDetails: { builder: { id: builder } } };
    expect(judged([bundleOf(predicate, undefined, claims(more))], { ...FULL, builder })).toBeUndefined();
  });

  it.each<[string, Readonly<Record<string, string>>, string?]>([
    ['another recipe', config('.github/workflows/evil.yml')],
    ['a recipe that starts alike', config('.github/workflows/release.yml.evil')],
    ['a recipe at another ref', config('.github/workflows/release.yml', 'refs/heads/evil')],
    ['a recipe with our ref in its name', config('.github/workflows/release.yml@refs/tags/v1', 'refs/heads/evil')],
    ['a recipe of another repository', config('.github/workflows/release.yml', undefined, `${SOURCE}-evil`)],
    ['somebody’s own machine', { 11: 'self-hosted' }],
    ['another workflow as builder', { 9: BY_WORKFLOW.replace('builder', 'evil') }, BY_WORKFLOW],
    ['the same workflow at another ref as builder', { 9: BY_WORKFLOW.replace('v2', 'v3') }, BY_WORKFLOW],
  ])('is refused when the certificate says %s, whatever the build says of itself', (_, more, builder = BUILDER) => {
    const predicate = { ...v1(), runDetails: { builder: { id: builder } } };
    const bundle = bundleOf(predicate, undefined, claims(more));
    expect(judged([bundle], { ...FULL, builder })).toBe('provenance POLICY_NOT_MET');
    expect(judged([bundle], { source: SOURCE })).toBeUndefined();
  });

  it.each([
    ['ref that only starts alike', { ref: 'refs/tags/v1.evil' }],
    ['branch by the name of a tag', { ref: 'refs/heads/tags/v1' }],
    ['repository that only starts alike', { repository: `${SOURCE}-evil` }],
    ['repository with ours in its query', { repository: `https://evil.example/?${SOURCE}` }],
    ['repository in other case', { repository: SOURCE.toUpperCase() }],
    ['recipe that leads elsewhere', { path: '.github/workflows/../workflows/release.yml' }],
    ['recipe under a dot', { path: './.github/workflows/release.yml' }],
  ])('is refused with a %s', (_, changes) => {
    const workflow = { ref: 'refs/tags/v1', repository: SOURCE, path: '.github/workflows/release.yml', ...changes };
    const bundle = bundleOf(v1({ externalParameters: { workflow }, resolvedDependencies: [] }));
    const { commit: _commit, ...policy } = FULL;
    expect(judged([bundle], policy)).toBe('provenance POLICY_NOT_MET');
  });

  it('counts signers, not signatures: a certified one makes as many keys as he likes', () => {
    const second = leaf({ names: [uri(OWN_IDENTITY.replace('/v1', '/v2'))] });
    const two = { ...FULL, threshold: 2 };
    const again = leaf();
    expect(judged([bundleOf(v1()), bundleOf(v1()), bundleOf(v1(), undefined, again)], two)).toBe(
      'provenance THRESHOLD_NOT_MET',
    );
    expect(judged([bundleOf(v1()), bundleOf(v1(), undefined, second)], two)).toBeUndefined();
  });
});

describe('bundles as GitHub hands them out, one a line', () => {
  it('need one by the expected signer, whatever else there is', () => {
    const stranger = bundleOf(v1(), undefined, leaf({ issuer: 'https://evil.example' }));
    expect(judged([stranger, bundleOf(v1()), { mediaType: 'x' }])).toBeUndefined();
    expect(judged([stranger, stranger])).toBe('identity ISSUER_MISMATCH');
    expect(judged([{ mediaType: 'x' }])).toBe('material MEDIA_TYPE_UNKNOWN');
  });

  it.each([
    ['nothing', '', 'MATERIAL_MALFORMED'],
    ['empty lines', '\n\n', 'MATERIAL_MALFORMED'],
    ['too many', '{}\n'.repeat(300), 'MATERIAL_MALFORMED'],
  ])('are refused as %s', (_, lines, code) => {
    const { checks } = verifyBundleLines(artifact, utf8(lines), trust);
    expect(decidingCheck({ checks } as never)?.code).toBe(code);
  });

  it('are refused unread when they are a hundred megabytes', () => {
    const { checks } = verifyBundleLines(artifact, new Uint8Array(100_000_000), trust);
    expect(decidingCheck({ checks } as never)?.code).toBe('MATERIAL_TOO_LARGE');
  });
});

describe('a policy file', () => {
  it('is read', () => {
    expect({ ...readPolicy(utf8(JSON.stringify(FULL))) }).toEqual(FULL);
  });

  it.each([
    ['a field nobody knows', '{"builder":"b","sources":"https://github.com/org/repo"}'],
    ['a field twice', '{"builder":"a","builder":"b"}'],
    ['no demand', '{}'],
    ['a threshold alone', '{"threshold":2}'],
    ['a threshold of nothing', '{"builder":"b","threshold":0}'],
    ['an empty demand', '{"builder":""}'],
    ['a demand that is null', '{"builder":null}'],
    ['a short ref', '{"ref":"v1"}'],
    ['a pattern for a list', '{"builder":["b"]}'],
    ['no object', '[]'],
  ])('is refused with %s', (_, json) => {
    expectCode(() => readPolicy(utf8(json)), 'POLICY_MALFORMED');
  });
});
