import { type Check, failed, type Signer } from '../../../core/checks.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import type { SigstoreOutcome } from '../sigstore/verify-bundle.ts';
import { runStages } from '../stages.ts';
import { certificateClaims } from './claims.ts';
import { POLICY_FIELDS, type PolicyField, type ReleasePolicy } from './policy.ts';
import { provenanceOf } from './slsa.ts';

/** One attestation that was verified for the artifact. */
export type VerifiedAttestation = Required<Pick<SigstoreOutcome, 'proof'>> & Pick<SigstoreOutcome, 'signers'>;

const CHECK = 'provenance';

/**
 * Whether verified attestations meet a policy: one check, `provenance`. Every field of the policy is met by one and the
 * same provenance, never some by one and some by another, and as many distinct keys as the policy's threshold say so.
 * No provenance is a refusal: a policy that finds nothing to judge must not be dropped.
 */
export function judgeProvenance(attestations: readonly VerifiedAttestation[], policy: ReleasePolicy): Check {
  const [check] = runStages([{ name: CHECK, run: () => assertPolicy(attestations, policy) }]);
  return check ?? failed(CHECK, 'PROVENANCE_MISSING', 'nothing was judged');
}

function assertPolicy(attestations: readonly VerifiedAttestation[], policy: ReleasePolicy): string {
  const builds = attestations.flatMap(({ proof, signers }) => {
    const said = proof.statement === undefined ? undefined : provenanceOf(proof.statement);
    if (said === undefined) return [];
    const claims = proof.certificate === undefined ? {} : certificateClaims(proof.certificate, said);
    return [{ said, claims, signers }];
  });
  if (builds.length === 0) {
    throw new ReleaseError('PROVENANCE_MISSING', 'the policy asks for SLSA provenance (v0.2 or v1), and there is none');
  }
  const flaws = builds.map(({ said, claims }) => flawOf(policy, said, claims));
  const meeting = builds.filter((_, i) => flaws[i] === undefined);
  if (meeting.length === 0) throw new ReleaseError('POLICY_NOT_MET', flaws[0] ?? 'no provenance meets the policy');
  const count = new Set(meeting.flatMap(({ signers }) => signers.map(nameOf))).size;
  const wanted = policy.threshold ?? 1;
  if (count < wanted) {
    const message = `${count} distinct signer${count === 1 ? '' : 's'} meet the policy where ${wanted} are wanted`;
    throw new ReleaseError('THRESHOLD_NOT_MET', message);
  }
  const fields = POLICY_FIELDS.filter((field) => policy[field] !== undefined);
  return `the build meets the policy: ${fields.join(', ')}`;
}

/** A certificate's key lives for minutes: whoever is certified counts once, however many keys he makes. */
function nameOf({ keyid, identity, issuer }: Signer): string {
  return identity === undefined ? `key ${keyid}` : `identity ${issuer} ${identity}`;
}

type Said = Readonly<Partial<Record<PolicyField, string>>>;

/** The first field that isn't met: unsaid is not met. */
function flawOf(policy: ReleasePolicy, said: Said, claims: Said): string | undefined {
  for (const field of POLICY_FIELDS) {
    const wanted = policy[field];
    if (wanted === undefined) continue;
    const value = said[field];
    if (value === undefined)
      return `the provenance does not say its ${field}, and the policy asks for ${shown(wanted)}`;
    if (value !== wanted) return `the ${field} is ${shown(value)}, and the policy asks for ${shown(wanted)}`;
    const claim = claims[field];
    if (claim !== undefined && claim !== wanted) {
      return `the certificate says that the ${field} is ${shown(claim)}, and the policy asks for ${shown(wanted)}`;
    }
  }
  return undefined;
}

function shown(value: string): string {
  return escapeForTerminal(value.slice(0, 200));
}
