import type { PreparedMethod } from '../../verify/release/prepared.ts';
import type { ReleasePolicy } from '../../verify/release/provenance/policy.ts';
import type { SigstoreTrust } from '../../verify/release/sigstore/verify-bundle.ts';
import { usageError } from '../errors.ts';
import { readMaterial, readSignature } from './signatures-io.ts';
import { certifiedTrust, keyedTrust, type SigstoreOptions, wantsCertificate } from './sigstore-trust.ts';
import type { TrustFiles } from './trust-files-io.ts';

export type ProvenanceOptions = SigstoreOptions & {
  readonly key?: string | undefined;
  readonly provenance?: string | undefined;
  readonly policy?: string | undefined;
};

/** Who must have signed what sigstore holds. @throws CliError USAGE_OPTION; ReleaseError as `certifiedTrust` and `keyedTrust` */
export async function sigstoreTrust(options: ProvenanceOptions, files: TrustFiles): Promise<SigstoreTrust> {
  if (wantsCertificate(options)) return certifiedTrust(options, files);
  if (options.key !== undefined) {
    return keyedTrust((await files.read(options.key, 'key', '--key')).bytes, options, files);
  }
  throw usageError('USAGE_OPTION', 'say who must have signed it: --identity and --issuer, or --key');
}

/** @throws ReleaseError POLICY_MALFORMED (usage) */
export async function readPolicyFile(path: string): Promise<ReleasePolicy> {
  const { readPolicy } = await import('../../verify/release/provenance/policy.ts');
  return readPolicy(readMaterial(path));
}

/**
 * Provenance that the command line names, with the trust and the policy to judge it by. A policy is never dropped: one
 * without provenance is a mistake of whoever gives it, and so is provenance that demands nothing.
 * @param policyIsUsed something else is judged by the policy
 * @throws CliError USAGE_OPTION, USAGE_VALUE; ReleaseError POLICY_MALFORMED, TRUSTED_ROOT_MALFORMED, KEY_REFUSED
 */
export async function readProvenance(
  options: ProvenanceOptions,
  files: TrustFiles,
  policyIsUsed = false,
): Promise<PreparedMethod | undefined> {
  const { provenance, policy: policyFile } = options;
  if (provenance === undefined && (policyFile === undefined || policyIsUsed)) return undefined;
  if (provenance === undefined || policyFile === undefined) {
    throw usageError('USAGE_OPTION', '--provenance and --policy go together: what was said, and what must be said');
  }
  const policy = await readPolicyFile(policyFile);
  const signature = readSignature(provenance);
  if (signature.kind !== 'sigstore') {
    throw usageError('USAGE_VALUE', '--provenance takes a sigstore bundle, or several by the line');
  }
  const { prepareSigstore } = await import('../../verify/release/sigstore-method.ts');
  return prepareSigstore(signature.bytes, await sigstoreTrust(options, files), policy);
}
