import { passed, verdictOf } from '../../../core/checks.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import type { PreparedMethod } from '../prepared.ts';
import type { ReleasePolicy } from '../provenance/policy.ts';
import { type IdentityExpectation, identityMatcher } from '../sigstore/identity.ts';
import { folded } from '../sigstore/many.ts';
import { trustedRootCheck } from '../sigstore/report.ts';
import type { SigstoreRoot } from '../sigstore/trusted-root.ts';
import { verifyNpmAttestations } from './attestations.ts';
import { type PackageName, verifyRegistrySignature } from './registry-signature.ts';
import { type RegistryTrust, registryKeysCheck } from './registry-trust.ts';

export type NpmBuildTrust = {
  readonly root: SigstoreRoot;
  /** Who must have built it. */
  readonly identity: IdentityExpectation;
  readonly policy?: ReleasePolicy;
};

/** npm's attestations of a version, ready for its tarball. @throws ReleaseError IDENTITY_PATTERN */
export function prepareNpmAttestations(
  attestations: Uint8Array,
  wanted: PackageName,
  registry: RegistryTrust,
  trust: NpmBuildTrust,
): PreparedMethod {
  identityMatcher(trust.identity);
  return {
    name: 'npm',
    needs: ['sha256', 'sha512'],
    verify: (message) => {
      const { checks, signers } = verifyNpmAttestations(message, attestations, wanted, {
        ...trust,
        keys: registry.keys,
      });
      return { checks: [trustedRootCheck(trust.root), registryKeysCheck(registry), ...checks], signers };
    },
  };
}

/** The registry's own signature over a version, ready for its tarball: one check. */
export function prepareRegistrySignature(
  manifest: Uint8Array,
  wanted: PackageName,
  registry: RegistryTrust,
): PreparedMethod {
  const name = 'registry-signature';
  return {
    name,
    needs: ['sha512'],
    verify: (message) => {
      const outcome = verifyRegistrySignature(message, manifest, wanted, registry.keys);
      const shown = escapeForTerminal(`${wanted.name}@${wanted.version}`);
      const check =
        verdictOf(outcome.checks) === 'trusted'
          ? passed(name, `the registry served these bytes as ${shown}; who made them, it does not say`)
          : folded(name, outcome);
      return { checks: [registryKeysCheck(registry), check], signers: outcome.signers };
    },
  };
}
