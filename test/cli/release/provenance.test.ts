import { describe, expect, it } from 'vitest';
import {
  attestationBundle,
  leaf,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  statementAbout,
  uri,
} from '../../support/sigstore-authority.ts';
import { minisign } from '../../verify/release/signing.ts';
import { DATA, HEX, OURS, place, verify } from './place.ts';

const signer = leaf();
const BUILDER = 'https://github.com/actions/runner/github-hosted';
const SOURCE = 'https://github.com/org/repo';
const predicate = {
  buildDefinition: {
    buildType: 'https://actions.github.io/buildtypes/workflow/v1',
    externalParameters: { workflow: { ref: 'refs/tags/v1', repository: SOURCE, path: 'release.yml' } },
    resolvedDependencies: [],
  },
  runDetails: { builder: { id: BUILDER } },
};
const about = (sha256: string) =>
  JSON.stringify(
    attestationBundle(
      signer,
      statementAbout([{ name: 'x', digest: { sha256 } }], 'https://slsa.dev/provenance/v1', predicate),
    ),
  );
const OTHER_HEX = '0'.repeat(64);

function release(files: Readonly<Record<string, string | Uint8Array>> = {}) {
  return place({
    'prov.json': about(HEX),
    'trust/root.json': new Uint8Array(ownRoot()),
    'trust/policy.json': JSON.stringify({ source: SOURCE, builder: BUILDER }),
    'tool.tar.minisig': minisign(OURS, DATA),
    ...files,
  });
}

const WHO = ['--trusted-root', '@trust/root.json', '--identity', OWN_IDENTITY, '--issuer', OWN_ISSUER];
const ARGS = ['@tool.tar', '--provenance', '@prov.json', ...WHO, '--policy', '@trust/policy.json'];

describe('release verify with provenance', () => {
  it('trusts what the policy asks for', async () => {
    const { report, codes } = await verify(release(), ...ARGS);
    expect(report.verdict).toBe('trusted');
    expect(codes.at(-1)).toEqual(['provenance', 'pass']);
    expect(report.signers).toMatchObject([{ identity: OWN_IDENTITY }]);
  });

  it('finds it among several by the line', async () => {
    const where = release({ 'prov.json': `${about(OTHER_HEX)}\n${about(HEX)}\n` });
    expect((await verify(where, ...ARGS)).report.verdict).toBe('trusted');
  });

  it('together with a signature: both must hold', async () => {
    const both = [...ARGS, '--minisign', '@trust/mini.pub'];
    expect((await verify(release(), ...both)).report.verdict).toBe('trusted');
    const unsigned = release({ 'tool.tar.minisig': minisign(OURS, Buffer.from('x')) });
    expect((await verify(unsigned, ...both)).codes).toContainEqual(['minisign', 'MINISIGN_SIGNATURE']);
    const other = release({ 'prov.json': about(OTHER_HEX) });
    expect((await verify(other, ...both)).report.verdict).toBe('refused');
  });

  it.each<[string, Record<string, string>, string[]]>([
    [
      'another source',
      { 'trust/policy.json': '{"source":"https://github.com/evil/repo"}' },
      ['provenance', 'POLICY_NOT_MET'],
    ],
    ['another artifact', { 'prov.json': about(OTHER_HEX) }, ['artifact', 'SUBJECT_MISMATCH']],
    [
      'a signature where provenance was asked for',
      { 'prov.json': JSON.stringify(messageBundle(signer, DATA)) },
      ['provenance', 'PROVENANCE_MISSING'],
    ],
  ])('refuses %s', async (_, files, last) => {
    const { report, codes } = await verify(release(files), ...ARGS);
    expect(codes.at(-1)).toEqual(last);
    expect(report.signers).toEqual([]);
  });

  it('refuses another signer than the expected one', async () => {
    const other = leaf({ names: [uri('https://example.com/evil')] });
    const statement = statementAbout(
      [{ name: 'x', digest: { sha256: HEX } }],
      'https://slsa.dev/provenance/v1',
      predicate,
    );
    const where = release({ 'prov.json': JSON.stringify(attestationBundle(other, statement)) });
    expect((await verify(where, ...ARGS)).codes).toContainEqual(['identity', 'IDENTITY_MISMATCH']);
  });

  it.each<[string, Record<string, string>, string[], string]>([
    ['a policy without provenance', {}, ['--policy', '@trust/policy.json', ...WHO], 'go together'],
    ['provenance without a policy', {}, ['--provenance', '@prov.json', ...WHO], 'go together'],
    [
      'nobody to trust',
      {},
      ['--provenance', '@prov.json', '--policy', '@trust/policy.json'],
      '--identity and --issuer',
    ],
    ['a policy with a misspelt field', { 'trust/policy.json': '{"sauce":"x"}' }, ARGS.slice(1), 'not a release policy'],
    ['a policy that demands nothing', { 'trust/policy.json': '{"threshold":1}' }, ARGS.slice(1), 'demands nothing'],
  ])('asks: %s', async (_, files, args, hint) => {
    const ran = await release(files).run('@tool.tar', ...args);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toContain(hint);
  });
});
