import { describe, expect, it } from 'vitest';
import type { IndexEntry } from '../../../src/bundle/index-lines.ts';
import { checkAttestations } from '../../../src/verify/checks/attestations.ts';
import { expectCode } from '../../support/expect-code.ts';

const file: IndexEntry = { path: 'a', mode: '0644', size: 0, sha256: 'a'.repeat(64) };

describe('attestations of third parties', () => {
  it('are not there: passes', () => {
    expect(checkAttestations([file, { ...file, path: 'b', attestations: [] }])).toContain('no file');
  });

  it('are refused, on any file, rather than waved through', () => {
    const attested = { ...file, path: 'z', attestations: [{ type: 'sigstore' }] };
    expectCode(() => checkAttestations([file, attested]), 'ATTESTATION_UNSUPPORTED');
  });
});
