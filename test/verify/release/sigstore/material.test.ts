import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../../src/core/bytes.ts';
import { decidingCheck, verdictOf } from '../../../../src/core/checks.ts';
import { sigstoreMaterial, verifySigstoreMaterial } from '../../../../src/verify/release/sigstore/material.ts';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import type { SigstoreTrust } from '../../../../src/verify/release/sigstore/verify-bundle.ts';
import { leaf, messageBundle, OWN_IDENTITY, OWN_ISSUER, ownRoot } from '../../../support/sigstore-authority.ts';
import { artifactOf } from '../../../support/sigstore-vectors.ts';

const ARTIFACT = Buffer.from('the release\n');
const bundle = messageBundle(leaf(), ARTIFACT);
const line = JSON.stringify(bundle);
const trust: SigstoreTrust = {
  root: readTrustedRoot(ownRoot(), 'own'),
  identity: { identity: OWN_IDENTITY, issuer: OWN_ISSUER },
};

describe('material of sigstore’s', () => {
  it.each([
    ['bundle', line],
    ['bundle', `${line}\n`],
    ['bundle', JSON.stringify(bundle, undefined, 2)],
    ['bundle-lines', `${line}\n${line}\n`],
    ['cosign-bundle', '{"base64Signature":"","cert":""}'],
    ['npm-attestations', '{"attestations":[{"predicateType":"x"}]}'],
    ['npm-version', '{"name":"a","version":"1","dist":{}}'],
    [undefined, '{}'],
    [undefined, ''],
  ] as const)('is told apart: %s', (kind, text) => {
    expect(sigstoreMaterial(utf8(text))).toBe(kind);
  });

  it.each([line, `${line}\n`, JSON.stringify(bundle, undefined, 2), `${line}\n${line}`])(
    'is verified in either form',
    (text) => {
      const { checks, signers } = verifySigstoreMaterial(artifactOf(ARTIFACT), utf8(text), trust);
      expect(verdictOf(checks)).toBe('trusted');
      expect(signers).toHaveLength(1);
      expect(verdictOf(verifySigstoreMaterial(artifactOf(Buffer.from('x')), utf8(text), trust).checks)).toBe('refused');
    },
  );

  it('meets a policy or is refused', () => {
    const { checks, signers } = verifySigstoreMaterial(artifactOf(ARTIFACT), utf8(line), trust, { builder: 'b' });
    expect(decidingCheck({ checks } as never)?.code).toBe('PROVENANCE_MISSING');
    expect(signers).toEqual([]);
  });

  it.each(['', '{}', '[]', 'null', '{"mediaType":1}', '{"base64Signature":1}', '{"dist":1,"version":1}'])(
    'is refused as %s, without breaking',
    (text) => {
      const { checks } = verifySigstoreMaterial(artifactOf(ARTIFACT), utf8(text), trust);
      expect(verdictOf(checks)).toBe('refused');
    },
  );
});
