import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inside } from '../../support/cli.ts';
import {
  attestationBundle,
  leaf,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  pemOf,
  statementAbout,
} from '../../support/sigstore-authority.ts';
import { BEACON, SIGSTORE_VECTORS } from '../../support/sigstore-vectors.ts';
import { minisign } from '../../verify/release/signing.ts';
import { imageLayout } from './image-layout.ts';
import { NPM_FILES, SLSA } from './npm-material.ts';
import { DATA, HEX, OURS, place } from './place.ts';

/** Of the trusted root and of the registry's keys that ship. */
const DATED = /2026-11-05/;

const signer = leaf();
const vector = (name: string) => (SIGSTORE_VECTORS === undefined ? '' : readFileSync(join(SIGSTORE_VECTORS, name)));
const FILES = {
  ...NPM_FILES,
  ...imageLayout(signer).files,
  'tool.json': JSON.stringify(messageBundle(signer, DATA)),
  'keyed.json': JSON.stringify(messageBundle(signer, DATA, { plainKey: true })),
  'tool.tar.minisig': minisign(OURS, DATA),
  'prov.json': JSON.stringify(
    attestationBundle(signer, statementAbout([{ name: 'x', digest: { sha256: HEX } }], SLSA)),
  ),
  'trust/policy.json': JSON.stringify({ builder: 'https://builder.example' }),
  'trust/pub.pem': pemOf('PUBLIC KEY', signer.key.publicKey.export({ format: 'der', type: 'spki' })),
  'a.txt': vector('a.txt'),
  'a.json': vector('happy-path-v0.3/bundle.sigstore.json'),
};

const ROOT = ['--trusted-root', 'public-good'];
const WHO = ['--identity', OWN_IDENTITY, '--issuer', OWN_ISSUER];

describe('a report that rests on what ships names its date', () => {
  it.each<[string, string[]]>([
    ['a bundle', ['@tool.tar', '--bundle', '@tool.json', ...ROOT, ...WHO]],
    [
      'a bundle by a key, without a word about the root',
      ['@tool.tar', '--bundle', '@keyed.json', '--key', '@trust/pub.pem'],
    ],
    ['provenance', ['@tool.tar', '--provenance', '@prov.json', '--policy', '@trust/policy.json', ...ROOT, ...WHO]],
    [
      'provenance beside another signature',
      [
        '@tool.tar',
        '--minisign',
        '@trust/mini.pub',
        '--provenance',
        '@prov.json',
        '--policy',
        '@trust/policy.json',
        ...ROOT,
        ...WHO,
      ],
    ],
    ['an image', ['@image', ...ROOT, ...WHO]],
    ['an image by a key', ['@image', '--key', '@trust/pub.pem']],
    [
      'npm’s attestations',
      ['@tool.tar', '--npm', '@org/tool@1.2.3', '--bundle', '@attestations.json', ...ROOT, ...WHO],
    ],
    ['npm’s signatures', ['@tool.tar', '--npm', '@org/tool@1.2.3', '--npm-signatures', '@metadata.json']],
  ])('release verify of %s', async (_, args) => {
    const where = place(FILES);
    for (const more of [[], ['--json']]) {
      const { stdout, code } = await where.run(...args, ...more);
      expect(stdout).toMatch(DATED);
      // Nothing here was signed under it: the date is there in a refusal too.
      expect(code).toBe(3);
    }
  });

  it.skipIf(SIGSTORE_VECTORS === undefined)('a yes (skipped without the public vectors)', async () => {
    const who = ['--identity', BEACON.identity, '--issuer', BEACON.issuer];
    const { stdout, code } = await place(FILES).run('@a.txt', '--bundle', '@a.json', ...ROOT, ...who);
    expect(code).toBe(0);
    expect(stdout).toMatch(DATED);
  });

  it('release conformance verify-bundle', async () => {
    const where = place(FILES);
    const who = ['--certificate-identity', OWN_IDENTITY, '--certificate-oidc-issuer', OWN_ISSUER];
    const words = ['release', 'conformance', 'verify-bundle', '--bundle', where.at('tool.json'), ...who];
    const { stdout, code } = await inside([...words, where.at('tool.tar')]);
    expect(code).toBe(1);
    expect(stdout).toMatch(DATED);
  });
});
