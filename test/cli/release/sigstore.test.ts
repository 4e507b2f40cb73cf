import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectError } from '../../support/cli.ts';
import { vectors } from '../../support/vectors.ts';
import { place, verify } from './place.ts';

const folder = vectors('sigstore') ?? '';
const BEACON =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main';
const ISSUER = 'https://token.actions.githubusercontent.com';

function vector(name: string) {
  const read = (file: string) => readFileSync(join(folder, name, file));
  const has = (file: string) => existsSync(join(folder, name, file));
  return place({
    'a.txt': has('artifact') ? read('artifact') : readFileSync(join(folder, 'a.txt')),
    'bundle.json': read('bundle.sigstore.json'),
    ...(has('key.pub') ? { 'trust/publisher.pub': read('key.pub') } : {}),
    ...(has('trusted_root.json') ? { 'trust/root.json': read('trusted_root.json') } : {}),
  });
}

const ROOT = ['--trusted-root', 'public-good'];
const WHO = ['--identity', BEACON, '--issuer', ISSUER];
const BUNDLE = ['@a.txt', '--bundle', '@bundle.json'];

describe.skipIf(folder === '')('release verify with a sigstore bundle (skipped without the public vectors)', () => {
  it('trusts the named identity, and says whose root that rests on and of when', async () => {
    const { report } = await verify(vector('happy-path-v0.3'), ...BUNDLE, ...ROOT, ...WHO);
    expect(report.verdict).toBe('trusted');
    expect(report.signers).toMatchObject([{ identity: BEACON, issuer: ISSUER }]);
    expect(report.checks.find(({ name }) => name === 'trusted-root')?.reason).toMatch(/public-good.* of 20\d\d-/);
  });

  it.each<[string, string[], string]>([
    ['a part of the identity', ['--identity', BEACON.slice(0, -1), '--issuer', ISSUER], 'IDENTITY_MISMATCH'],
    [
      'a pattern for a part of it',
      ['--identity-regexp', 'https://github\\.com/.*beacon', '--issuer', ISSUER],
      'IDENTITY_MISMATCH',
    ],
    ['another issuer', ['--identity', BEACON, '--issuer', 'https://evil.example'], 'ISSUER_MISMATCH'],
  ])('refuses %s', async (_, who, code) => {
    const { codes } = await verify(vector('happy-path-v0.3'), ...BUNDLE, ...ROOT, ...who);
    expect(codes.map(([, status]) => status)).toContain(code);
  });

  it('trusts a pattern for the whole identity', async () => {
    const who = ['--identity-regexp', 'https://github\\.com/sigstore-conformance/.*', '--issuer', ISSUER];
    expect((await verify(vector('happy-path-v0.3'), ...BUNDLE, ...ROOT, ...who)).report.verdict).toBe('trusted');
  });

  it('refuses another file', async () => {
    const where = vector('happy-path-v0.3');
    const { codes } = await verify(where, '@tool.tar', '--bundle', '@bundle.json', ...ROOT, ...WHO);
    expect(codes.map(([, status]) => status)).toContain('ARTIFACT_MISMATCH');
  });

  it('finds the bundle beside the file by what is in it', async () => {
    const bundle = readFileSync(join(folder, 'happy-path-v0.3/bundle.sigstore.json'));
    const where = place({ 'a.txt': readFileSync(join(folder, 'a.txt')), 'a.txt.sig': bundle });
    expect((await verify(where, '@a.txt', ...ROOT, ...WHO)).report.verdict).toBe('trusted');
  });

  it('ends with a sentence when the key is none', async () => {
    const ran = await vector('managed-key-wrong-key_fail').run(...BUNDLE, '--key', '@trust/publisher.pub');
    expectError(ran, 'KEY_REFUSED', 3);
  });

  it('refuses a bundle that a certificate signed when a plain key is trusted', async () => {
    const { codes } = await verify(vector('happy-path-v0.3'), ...BUNDLE, '--key', '@trust/key.pem');
    expect(codes).toContainEqual(['material', 'IDENTITY_UNSAID']);
  });

  it.each<[string, string[], string]>([
    ['no root', WHO, '--trusted-root'],
    ['no issuer', [...ROOT, '--identity', BEACON], '--issuer'],
    ['no identity', [...ROOT, '--issuer', ISSUER], '--identity WHO'],
    ['identity twice', [...ROOT, ...WHO, '--identity-regexp', 'x'], 'either'],
    ['a root alone', ROOT, '--identity and --issuer'],
    ['SSH and sigstore', [...ROOT, ...WHO, '--ssh-signers', '@trust/signers'], 'one, then the other'],
    ['a pattern that is none', [...ROOT, '--identity-regexp', '(', '--issuer', ISSUER], 'not a pattern'],
    ['a key that does not fit', ['--minisign', '@trust/mini.pub'], '--trusted-root ROOT'],
  ])('asks instead of guessing: %s', async (_, args, hint) => {
    const ran = await vector('happy-path-v0.3').run(...BUNDLE, ...args);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toContain(hint);
  });

  it('ends with a sentence when the root is none', async () => {
    const ran = await vector('happy-path-v0.3').run(...BUNDLE, '--trusted-root', '@bundle.json', ...WHO);
    expect(ran.code).toBe(3);
    expect(ran.stderr).toMatch(/\[TRUSTED_ROOT_MALFORMED\]\n$/);
  });
});
