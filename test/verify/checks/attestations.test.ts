import { describe, expect, it } from 'vitest';
import type { Attestation } from '../../../src/bundle/attestations.ts';
import type { IndexEntry } from '../../../src/bundle/index-lines.ts';
import { BundleVerification } from '../../../src/verify/bundle-verification.ts';
import { type AttestationFinding, checkAttestations } from '../../../src/verify/checks/attestations.ts';
import { VerifyError } from '../../../src/verify/errors.ts';
import { expectCode } from '../../support/expect-code.ts';
import {
  expectRefused,
  expectTrusted,
  findBlobs,
  makeBundle,
  pinnedRoot,
  rootDocument,
  rootFile,
  trustOf,
} from '../../support/trust.ts';

const KEY = `RW${'A'.repeat(54)}`;
const file: IndexEntry = { path: 'a', mode: '0644', size: 0, sha256: 'a'.repeat(64) };
const by = (material: string): Attestation => ({ type: 'minisign', material, key: KEY });
const attested: IndexEntry = { ...file, attestations: [by('a.1'), by('a.2')] };
const good = (material: string, path = 'a'): AttestationFinding => ({ path, material, ok: true });
const bad: AttestationFinding = { path: 'a', material: 'a.2', ok: false, cause: new VerifyError('KEY_EXPIRED', 'x') };

describe('attestations of third parties', () => {
  it('are not there: passes', () => {
    expect(checkAttestations('rules', [file, { ...file, path: 'b' }], [])).toContain('no file');
  });

  it('all good: passes, and says under which root', () => {
    const findings: AttestationFinding[] = [{ path: 'a', material: 'a.1', ok: true, root: 'root of May' }, good('a.2')];
    expect(checkAttestations('update', [attested], findings)).toMatch(
      /^2 third-party signatures over 1 file.*root of May$/,
    );
  });

  it.each<[string, readonly AttestationFinding[], string]>([
    ['nobody judged', [], 'ATTESTATION_UNJUDGED'],
    ['only one was judged', [good('a.1')], 'ATTESTATION_UNJUDGED'],
    ['another file was judged', [good('a.1', 'b'), good('a.2', 'b')], 'ATTESTATION_UNJUDGED'],
    ['one was judged twice, for good and bad', [good('a.1'), good('a.2'), bad], 'ATTESTATION_UNJUDGED'],
    ['one is refused', [good('a.1'), bad], 'KEY_EXPIRED'],
  ])('%s: is refused', (_, findings, code) => {
    expectCode(() => checkAttestations('update', [attested], findings), code);
  });

  it.each(['rules', 'config', 'trust'] as const)('in a bundle of kind %s: is refused, however good', (kind) => {
    expectCode(() => checkAttestations(kind, [attested], [good('a.1'), good('a.2')]), 'ATTESTATION_KIND');
  });
});

describe('the step of the verification', () => {
  const roles = { root: { keys: ['root-a'] }, updates: { keys: ['updates-a'] } };
  const bundle = makeBundle({
    files: { a: 'a', 'a.1': 'signature' },
    entries: (entries) =>
      entries.map((entry) => (entry.path === 'a' ? { ...entry, attestations: [by('a.1')] } : entry)),
    statement: { kind: 'update' },
    signers: ['updates-a'],
    roots: [rootFile(rootDocument({ roles }), ['root-a'])],
  });
  const upToBlobs = () => {
    const verification = new BundleVerification(trustOf({ pinned: pinnedRoot({ roles }) }));
    verification.containerRead('read');
    verification.head(bundle.envelope, bundle.roots);
    verification.index(bundle.index);
    expect(verification.attested).toEqual([]);
    expect(verification.blobs(findBlobs(verification.entries, bundle.blobs))).toBe(true);
    return verification;
  };
  const content = { ok: true, reason: 'fine' };

  it('is due after the blobs, and decides', () => {
    const verification = upToBlobs();
    expect(verification.attested.map(({ path }) => path)).toEqual(['a']);
    expect(verification.attestations([good('a.1')])).toBe(true);
    expect(verification.attested).toEqual([]);
    expect(verification.content(content)).toBe(true);
    expectTrusted(verification);
  });

  it('that is refused ends it', () => {
    const verification = upToBlobs();
    const cause = new VerifyError('KEY_EXPIRED', 'too old');
    expect(verification.attestations([{ path: 'a', material: 'a.1', ok: false, cause }])).toBe(false);
    expect(verification.content(content)).toBe(false);
    expectRefused(verification, 'attestations', 'KEY_EXPIRED');
  });

  it('left out is a refusal', () => {
    const verification = upToBlobs();
    expect(verification.content(content)).toBe(false);
    expect(verification.report('x').verdict).toBe('refused');
  });

  it('made before the blobs, or twice, is a refusal', () => {
    const early = new BundleVerification(trustOf({ pinned: pinnedRoot({ roles }) }));
    early.containerRead('read');
    early.head(bundle.envelope, bundle.roots);
    early.index(bundle.index);
    expect(early.attestations([good('a.1')])).toBe(false);
    const twice = upToBlobs();
    expect([twice.attestations([good('a.1')]), twice.attestations([good('a.1')])]).toEqual([true, false]);
    for (const one of [early, twice]) {
      one.blobs(findBlobs(one.entries, bundle.blobs));
      one.content(content);
      expect(one.report('x').verdict).toBe('refused');
    }
  });
});
