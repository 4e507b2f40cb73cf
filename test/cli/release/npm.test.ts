import { describe, expect, it } from 'vitest';
import { OWN_IDENTITY, OWN_ISSUER } from '../../support/sigstore-authority.ts';
import { minisign } from '../../verify/release/signing.ts';
import { attestations, BUILDER, NPM_FILES, registryMetadata } from './npm-material.ts';
import { DATA, OURS, place, verify } from './place.ts';

const at = (files: Readonly<Record<string, string | Uint8Array>> = {}) => place({ ...NPM_FILES, ...files });
const PACKAGE = ['@tool.tar', '--npm', '@org/tool@1.2.3'];
const KEYS = ['--npm-keys', '@trust/npm.json'];
const SIGNED = ['--npm-signatures', '@metadata.json'];
const WHO = ['--trusted-root', '@trust/root.json', '--identity', OWN_IDENTITY, '--issuer', OWN_ISSUER];
const ATTESTED = ['--bundle', '@attestations.json', ...WHO];

describe('release verify of an npm package', () => {
  it('trusts what the registry signed, and says how little that is', async () => {
    const { report, codes } = await verify(at(), ...PACKAGE, ...SIGNED, ...KEYS);
    expect(codes).toEqual([
      ['file', 'pass'],
      ['registry-keys', 'pass'],
      ['registry-signature', 'pass'],
    ]);
    expect(report.checks[2]?.reason).toContain('@org/tool@1.2.3; who made them, it does not say');
    expect(report.signers).toMatchObject([{ role: 'registry' }]);
  });

  it('trusts attestations: the registry’s and the build’s, by its identity', async () => {
    const { report, codes } = await verify(at(), ...PACKAGE, ...ATTESTED, ...KEYS);
    expect(codes.map(([name]) => name)).toEqual([
      'file',
      'trusted-root',
      'registry-keys',
      'material',
      'publish',
      'build',
      'package',
    ]);
    expect(report.verdict).toBe('trusted');
    expect(report.signers.map(({ role, identity }) => [role, identity])).toEqual([
      ['registry', undefined],
      ['release', OWN_IDENTITY],
    ]);
  });

  it('takes both, a policy, and a publisher’s own signature besides', async () => {
    const where = at({
      'trust/policy.json': JSON.stringify({ builder: BUILDER }),
      'trust/strict.json': JSON.stringify({ builder: 'https://other.example' }),
      'tool.tar.minisig': minisign(OURS, DATA),
    });
    const all = [...PACKAGE, ...ATTESTED, ...SIGNED, ...KEYS, '--minisign', '@trust/mini.pub'];
    const { report, codes } = await verify(where, ...all, '--policy', '@trust/policy.json');
    expect(report.verdict).toBe('trusted');
    expect(codes.map(([name]) => name)).toEqual(
      expect.arrayContaining(['minisign', 'provenance', 'registry-signature']),
    );
    const strict = await verify(where, ...all, '--policy', '@trust/strict.json');
    expect(strict.codes).toContainEqual(['provenance', 'POLICY_NOT_MET']);
  });

  it.each<[string, string[], Record<string, string | Uint8Array>, string]>([
    ['another version', ['@tool.tar', '--npm', '@org/tool@1.2.4', ...SIGNED, ...KEYS], {}, 'MATERIAL_MALFORMED'],
    ['another name', ['@tool.tar', '--npm', 'tool@1.2.3', ...SIGNED, ...KEYS], {}, 'MATERIAL_MALFORMED'],
    ['another file', [...PACKAGE, ...SIGNED, ...KEYS], { 'tool.tar': 'evil' }, 'ARTIFACT_MISMATCH'],
    ['another file, attested', [...PACKAGE, ...ATTESTED, ...KEYS], { 'tool.tar': 'evil' }, 'SUBJECT_MISMATCH'],
    [
      'what is signed of another version, renamed',
      [...PACKAGE, ...SIGNED, ...KEYS],
      { 'metadata.json': registryMetadata('@org/tool', '1.2.4').replace('"1.2.4"', '"1.2.3"') },
      'SIGNATURE_REFUSED',
    ],
    [
      'attestations of another version',
      [...PACKAGE, ...ATTESTED, ...KEYS],
      { 'attestations.json': attestations('1.2.2') },
      'SUBJECT_MISMATCH',
    ],
    ['keys that ship, for another registry', [...PACKAGE, ...SIGNED], {}, 'KEY_MISSING'],
    ['keys that ship, for its attestations', [...PACKAGE, ...ATTESTED], {}, 'KEY_MISSING'],
    ['metadata that is none', [...PACKAGE, ...SIGNED, ...KEYS], { 'metadata.json': '[]' }, 'MATERIAL_MALFORMED'],
    ['an identity that nothing was signed by', [...PACKAGE, ...SIGNED, ...KEYS, ...WHO], {}, 'SIGNATURE_MISSING'],
    [
      'a key that nothing was signed with',
      [...PACKAGE, ...ATTESTED, ...KEYS, '--key', '@trust/key.pem'],
      {},
      'SIGNATURE_MISSING',
    ],
    [
      'another builder',
      [
        ...PACKAGE,
        '--bundle',
        '@attestations.json',
        ...WHO.slice(0, 3),
        'https://evil.example',
        ...WHO.slice(4),
        ...KEYS,
      ],
      {},
      'IDENTITY_MISMATCH',
    ],
  ])('refuses %s', async (_, args, files, code) => {
    const { report, codes } = await verify(at(files), ...args);
    expect(codes.map(([, status]) => status)).toContain(code);
    expect([report.verdict, report.signers]).toEqual(['refused', []]);
  });

  it.each<[string, string[], string]>([
    ['no material', [...PACKAGE], '--npm-signatures'],
    ['signatures of nothing', ['@tool.tar', ...SIGNED], '--npm NAME@VERSION'],
    ['keys for nothing', ['@tool.tar', ...KEYS, '--minisign', '@trust/mini.pub'], '--npm NAME@VERSION'],
    ['a name without a version', ['@tool.tar', '--npm', 'tool', ...SIGNED], 'NAME@VERSION'],
    ['a range', ['@tool.tar', '--npm', 'tool@^1.2.3', ...SIGNED], 'NAME@VERSION'],
    ['a version with build metadata', ['@tool.tar', '--npm', 'tool@1.2.3+x', ...SIGNED], 'NAME@VERSION'],
    ['a name with a way out', ['@tool.tar', '--npm', '../tool@1.2.3', ...SIGNED], 'NAME@VERSION'],
    ['a name that acts on the terminal', ['@tool.tar', '--npm', 'tool\u001b[2J@1.2.3', ...SIGNED], '\\x1b'],
    ['metadata as a bundle', [...PACKAGE, '--bundle', '@metadata.json', ...WHO], 'attestations of the version'],
    ['nobody to have built it', [...PACKAGE, '--bundle', '@attestations.json', ...KEYS], '--trusted-root'],
    ['a policy that judges nothing', [...PACKAGE, ...SIGNED, ...KEYS, '--policy', '@trust/npm.json'], '--provenance'],
  ])('asks: %s', async (_, args, hint) => {
    const ran = await at().run(...args);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toContain(hint);
    expect(ran.stderr).not.toContain('\u001b');
  });
});
