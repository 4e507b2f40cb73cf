import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Report } from '../../../src/core/checks.ts';
import { expectError, inside, jsonOf, type Ran } from '../../support/cli.ts';
import { BEACON, SIGSTORE_VECTORS, type SigstoreVector, sigstoreVectors } from '../../support/sigstore-vectors.ts';

/** What `sigstore-conformance` puts on the command line for a directory of its data. */
function suite({ paths, identity, issuer }: SigstoreVector, artifact = paths.artifact): Promise<Ran> {
  const who =
    paths.key === undefined
      ? ['--certificate-identity', identity, '--certificate-oidc-issuer', issuer]
      : ['--key', paths.key];
  const root = paths.root === undefined ? [] : ['--trusted-root', paths.root];
  const words = ['release', 'conformance', 'verify-bundle', '--json', '--bundle', paths.bundle, ...who, ...root];
  return inside([...words, artifact]);
}

describe.skipIf(SIGSTORE_VECTORS === undefined)('release conformance verify-bundle', () => {
  const all = sigstoreVectors();

  it.each(all)('$name', async (vector) => {
    const ran = await suite(vector);
    if (vector.accepted) {
      expect(ran.code).toBe(0);
      expect(jsonOf<Report>(ran, 'report').verdict).toBe('trusted');
      return;
    }
    expect(ran.code).not.toBe(0);
    // A refusal is a report, or one line: never a stack trace.
    expect(ran.stderr).not.toMatch(/\n\s+at /);
    if (vector.name === 'managed-key-wrong-key_fail') expect(ran.stdout).toContain('KEY_REFUSED');
    else expect([ran.code, jsonOf<Report>(ran, 'report').verdict]).toEqual([1, 'refused']);
  });

  const named = (name: string): SigstoreVector => {
    const vector = all.find((candidate) => candidate.name === name);
    if (vector === undefined) throw new Error(`no vector ${name}`);
    return vector;
  };

  it.each(['happy-path-v0.3', 'rekor2-happy-path', 'rekor2-dsse-happy-path'])(
    'takes the digest of %s for the file',
    async (name) => {
      const vector = named(name);
      const hex = createHash('sha256').update(readFileSync(vector.paths.artifact)).digest('hex');
      expect((await suite(vector, `sha256:${hex}`)).code).toBe(0);
      expect((await suite(vector, `sha256:${hex.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))}`)).code).toBe(1);
      expect((await suite(vector, `sha256:${hex.slice(1)}`)).code).toBe(1);
    },
  );

  it('names the shipped root and its date', async () => {
    const report = jsonOf<Report>(await suite(named('happy-path-v0.3')), 'report');
    expect(report.subject.detail?.['trusted root']).toContain('2026-11-05');
    expect(report.signers).toEqual([expect.objectContaining(BEACON)]);
  });

  it('refuses half of an identity, both ways to trust, and a root that it does not have', async () => {
    const base = ['release', 'conformance', 'verify-bundle', '--bundle', 'b', 'a'];
    for (const words of [
      ['--certificate-identity', 'x'],
      ['--certificate-oidc-issuer', 'x'],
      ['--key', 'k', '--certificate-identity', 'x', '--certificate-oidc-issuer', 'y'],
      ['--staging', '--certificate-identity', 'x', '--certificate-oidc-issuer', 'y'],
    ]) {
      expectError(await inside([...base, ...words]), 'USAGE_OPTION', 2);
    }
  });
});
