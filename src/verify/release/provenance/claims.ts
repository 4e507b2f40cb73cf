import type { X509Certificate } from '@sigstore/core';
import { derText } from '../sigstore/certificate.ts';
import type { PolicyField } from './policy.ts';

/** Fulcio's extensions about a build (https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md). */
const CLAIMS: readonly (readonly [PolicyField, string])[] = [
  ['source', '1.3.6.1.4.1.57264.1.12'],
  ['commit', '1.3.6.1.4.1.57264.1.13'],
  ['ref', '1.3.6.1.4.1.57264.1.14'],
];

/**
 * What the authority wrote into the certificate about the build that signed: said by whoever runs the builds, where the
 * provenance is said by the build itself. Where both speak, both must meet the policy.
 * @throws ReleaseError CERTIFICATE_REFUSED
 */
export function certificateClaims(certificate: X509Certificate): Readonly<Partial<Record<PolicyField, string>>> {
  const claims = CLAIMS.flatMap(([field, oid]) => {
    const value = certificate.extension(oid)?.value;
    return value === undefined ? [] : [[field, derText(value)] as const];
  });
  return Object.fromEntries(claims);
}
