import type { X509Certificate } from '@sigstore/core';
import { derText } from '../sigstore/certificate.ts';
import type { PolicyField } from './policy.ts';
import type { Provenance } from './slsa.ts';

/** Fulcio's extensions about a build (https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md). */
const OID = {
  /** The workflow that signed, with its ref: the builder, where that is a workflow. */
  buildSigner: '1.3.6.1.4.1.57264.1.9',
  /** `github-hosted` or `self-hosted`. */
  runner: '1.3.6.1.4.1.57264.1.11',
  source: '1.3.6.1.4.1.57264.1.12',
  commit: '1.3.6.1.4.1.57264.1.13',
  ref: '1.3.6.1.4.1.57264.1.14',
  /** The recipe that the build started from, with its ref. */
  buildConfig: '1.3.6.1.4.1.57264.1.18',
} as const;

/** Builders that provenance names by where the runner stands. */
const RUNNERS = 'https://github.com/actions/runner/';
/** In builders that are workflows themselves. */
const WORKFLOWS = '/.github/workflows/';

/**
 * What the authority wrote into the certificate about the build that signed: said by whoever runs the builds, where the
 * provenance is said by the build itself. Where both speak, both must meet the policy: else a build by another recipe of
 * the same repository, or on somebody's own machine, need only say the right thing of itself.
 * @param said by the provenance: its builder tells which extension speaks of it
 * @throws ReleaseError CERTIFICATE_REFUSED
 */
export function certificateClaims(
  certificate: X509Certificate,
  said: Provenance,
): Readonly<Partial<Record<PolicyField, string>>> {
  const textOf = (oid: string): string | undefined => {
    const value = certificate.extension(oid)?.value;
    return value === undefined ? undefined : derText(value);
  };
  const [source, ref] = [textOf(OID.source), textOf(OID.ref)];
  const claims = {
    builder: builderClaim(said.builder ?? '', textOf(OID.buildSigner), textOf(OID.runner)),
    source,
    ref,
    commit: textOf(OID.commit),
    workflow: workflowClaim(textOf(OID.buildConfig), source, ref),
  };
  return Object.fromEntries(Object.entries(claims).filter(([, claim]) => claim !== undefined));
}

/** Of builders in other forms the certificate says nothing. */
function builderClaim(said: string, signer: string | undefined, runner: string | undefined): string | undefined {
  if (said.startsWith(RUNNERS)) return runner === undefined ? undefined : `${RUNNERS}${runner}`;
  return said.includes(WORKFLOWS) ? signer : undefined;
}

/** `<source>/<path>@<ref>`, in some forges with two slashes; what is of no such form is compared as it stands, and differs. */
function workflowClaim(
  config: string | undefined,
  source: string | undefined,
  ref: string | undefined,
): string | undefined {
  const [head, tail] = [`${source}/`, `@${ref}`];
  if (config === undefined || !config.startsWith(head) || !config.endsWith(tail)) return config;
  return config.slice(head.length, -tail.length).replace(/^\//, '');
}
