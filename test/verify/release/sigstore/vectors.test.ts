import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decidingCheck, verdictOf } from '../../../../src/core/checks.ts';
import { parseReleaseKey } from '../../../../src/verify/release/release-key.ts';
import { publicGoodRoot, readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { type SigstoreOutcome, verifySigstoreBundle } from '../../../../src/verify/release/sigstore/verify-bundle.ts';
import { expectCode } from '../../../support/expect-code.ts';
import {
  artifactOf,
  SIGSTORE_VECTORS,
  type SigstoreVector,
  sigstoreVectors,
} from '../../../support/sigstore-vectors.ts';

/** Where each vector that must fail is refused: for its own reason, not for another. */
const REFUSED: Readonly<Record<string, readonly [check: string, code: string]>> = {
  'bundle-malformed-json_fail': ['material', 'MATERIAL_MALFORMED'],
  'checkpoint-bad-keyhint_fail': ['transparency-log', 'LOG_ENTRY_REFUSED'],
  'checkpoint-wrong-roothash_fail': ['transparency-log', 'LOG_ENTRY_REFUSED'],
  'dsse-invalid-sig_fail': ['transparency-log', 'LOG_ENTRY_MISMATCH'],
  'dsse-mismatch-envelope_fail': ['transparency-log', 'LOG_ENTRY_MISMATCH'],
  'dsse-mismatch-sig_fail': ['transparency-log', 'LOG_ENTRY_MISMATCH'],
  'incorrect-public-key_fail': ['transparency-log', 'LOG_ENTRY_REFUSED'],
  'intoto-missing-inclusion-proof_fail': ['material', 'MATERIAL_MALFORMED'],
  'invalid-ct-key_fail': ['certificate', 'CERTIFICATE_REFUSED'],
  'managed-key-no-key_fail': ['material', 'KEY_MISSING'],
  'rekor2-checkpoint-missing-log-signature_fail': ['transparency-log', 'LOG_ENTRY_REFUSED'],
  'rekor2-checkpoint-missing-origin_fail': ['transparency-log', 'LOG_ENTRY_REFUSED'],
  'rekor2-checkpoint-missing-root-hash_fail': ['transparency-log', 'LOG_ENTRY_REFUSED'],
  'rekor2-dsse-mismatch-envelope_fail': ['transparency-log', 'LOG_ENTRY_MISMATCH'],
  'rekor2-no-inclusion-proof_fail': ['material', 'MATERIAL_MALFORMED'],
  'rekor2-timestamp-outside-trust-root-tsa-validity_fail': ['times', 'TIMESTAMP_REFUSED'],
  'rekor2-timestamp-payload-mismatch_fail': ['times', 'TIMESTAMP_REFUSED'],
  'rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail': ['times', 'TIMESTAMP_REFUSED'],
  'rekor2-timestamp-with-incorrect-time_fail': ['material', 'MATERIAL_MALFORMED'],
  'wrong-hashedrekord-entry_fail': ['transparency-log', 'LOG_ENTRY_MISMATCH'],
  'wrong-material_fail': ['artifact', 'ARTIFACT_MISMATCH'],
};

function verify(vector: SigstoreVector, bundle = readFileSync(vector.paths.bundle)): SigstoreOutcome {
  const { paths, identity, issuer } = vector;
  return verifySigstoreBundle(artifactOf(readFileSync(paths.artifact)), bundle, {
    root: paths.root === undefined ? publicGoodRoot() : readTrustedRoot(readFileSync(paths.root), paths.root),
    ...(paths.key === undefined
      ? { identity: { identity, issuer } }
      : { key: parseReleaseKey(readFileSync(paths.key)) }),
  });
}

describe.skipIf(SIGSTORE_VECTORS === undefined)('the sigstore-conformance vectors', () => {
  const all = sigstoreVectors();

  it('are all there', () => {
    expect(all.length).toBeGreaterThanOrEqual(32);
    const refused = all.filter(({ accepted }) => !accepted).map(({ name }) => name);
    expect(refused.toSorted()).toEqual([...Object.keys(REFUSED), 'managed-key-wrong-key_fail'].toSorted());
  });

  it.each(all.filter(({ accepted }) => accepted))('accepts $name', (vector) => {
    const { checks, signers, proof } = verify(vector);
    expect(checks.filter(({ status }) => status !== 'pass')).toEqual([]);
    expect(verdictOf(checks)).toBe('trusted');
    expect(signers).toEqual([expect.objectContaining({ identity: vector.identity, issuer: vector.issuer })]);
    expect(proof?.signedAt).toMatch(/^202\d-/);
  });

  it.each(all.filter(({ name }) => name in REFUSED))('refuses $name', (vector) => {
    const { checks, signers } = verify(vector);
    const deciding = decidingCheck({ checks } as never);
    expect([deciding?.name, deciding?.code]).toEqual(REFUSED[vector.name]);
    expect(signers).toEqual([]);
  });

  it('refuses managed-key-wrong-key_fail, whose key is none', () => {
    const vector = all.find(({ name }) => name === 'managed-key-wrong-key_fail');
    if (vector === undefined) throw new Error('the vector is missing');
    expectCode(() => verify(vector), 'KEY_REFUSED');
  });

  it('refuses the timestamp of the wrong time for its time too, once its base64 is canonical', () => {
    const vector = all.find(({ name }) => name === 'rekor2-timestamp-with-incorrect-time_fail');
    if (vector === undefined) throw new Error('the vector is missing');
    const canonical = readFileSync(vector.paths.bundle, 'utf8').replaceAll('\\n', (newline, at: number, text) =>
      text.lastIndexOf('"signedTimestamp"', at) > text.lastIndexOf('"envelope"', at) ? '' : newline,
    );
    const deciding = decidingCheck({ checks: verify(vector, Buffer.from(canonical)).checks } as never);
    expect([deciding?.name, deciding?.code]).toEqual(['certificate', 'CERTIFICATE_REFUSED']);
  });
});
