import type { PreparedMethod } from '../../verify/release/prepared.ts';
import { usageError } from '../errors.ts';
import { readMaterial, readSignature } from './signatures-io.ts';
import { certifiedTrust, keyedTrust, type SigstoreOptions, wantsCertificate } from './sigstore-trust.ts';

export type ProvenanceOptions = SigstoreOptions & {
  readonly key?: string | undefined;
  readonly provenance?: string | undefined;
  readonly policy?: string | undefined;
};

/**
 * Provenance that the command line names, with the trust and the policy to judge it by. A policy is never dropped: one
 * without provenance is a mistake of whoever gives it, and so is provenance that demands nothing.
 * @throws CliError USAGE_OPTION, USAGE_VALUE; ReleaseError POLICY_MALFORMED, TRUSTED_ROOT_MALFORMED, KEY_REFUSED
 */
export async function readProvenance(options: ProvenanceOptions): Promise<PreparedMethod | undefined> {
  const { provenance, policy: policyFile, key, trustedRoot } = options;
  if (provenance === undefined && policyFile === undefined) return undefined;
  if (provenance === undefined || policyFile === undefined) {
    throw usageError('USAGE_OPTION', '--provenance and --policy go together: what was said, and what must be said');
  }
  const { readPolicy } = await import('../../verify/release/provenance/policy.ts');
  const policy = readPolicy(readMaterial(policyFile));
  const signature = readSignature(provenance);
  if (signature.kind !== 'sigstore')
    throw usageError('USAGE_VALUE', '--provenance takes a sigstore bundle, or several by the line');
  if (wantsCertificate(options)) return (await certifiedTrust(options, policy)).prepare(signature);
  if (key === undefined) {
    throw usageError('USAGE_OPTION', 'say who must have signed the provenance: --identity and --issuer, or --key');
  }
  return (await keyedTrust(readMaterial(key), trustedRoot, policy))(signature);
}
