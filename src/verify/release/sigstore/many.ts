import { decodeUtf8, utf8 } from '../../../core/bytes.ts';
import { type Check, decidingCheck, failed, passed, verdictOf } from '../../../core/checks.ts';
import { messageOf } from '../../../core/errors.ts';
import { ReleaseError } from '../errors.ts';
import type { Artifact, MethodOutcome } from '../method.ts';
import { judgeProvenance, type VerifiedAttestation } from '../provenance/judge.ts';
import type { ReleasePolicy } from '../provenance/policy.ts';
import { runStages } from '../stages.ts';
import { readBundle } from './read-bundle.ts';
import { type SigstoreOutcome, type SigstoreTrust, verifyReadBundle } from './verify-bundle.ts';

const MAX_LINES = 256;
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/**
 * Verifies an artifact by several bundles, one a line, as `gh attestation download` leaves them. One by the expected signer
 * is enough, since a download holds everybody's; the others are counted, and prove nothing. With a policy, provenance
 * among those that were verified must meet it.
 */
export function verifyBundleLines(
  artifact: Artifact,
  bytes: Uint8Array,
  trust: SigstoreTrust,
  policy?: ReleasePolicy,
): MethodOutcome {
  let lines: string[] = [];
  const [material] = runStages([
    {
      name: 'material',
      run: () => {
        lines = linesOf(bytes);
        return `${lines.length} bundle${lines.length === 1 ? '' : 's'}`;
      },
    },
  ]);
  if (material === undefined || material.status !== 'pass')
    return { checks: material === undefined ? [] : [material], signers: [] };
  const outcomes = lines.map((line) => verifyReadBundle(artifact, () => readBundle(utf8(line)), trust));
  return judgeOutcomes(outcomes, policy);
}

/** The best of several outcomes, how many were as good, and the policy's check. */
export function judgeOutcomes(outcomes: readonly SigstoreOutcome[], policy?: ReleasePolicy): MethodOutcome {
  const good = outcomes.filter(({ checks }) => verdictOf(checks) === 'trusted');
  // Of refusals the one that came furthest, which may have passed as many checks as a good one with fewer to pass.
  const best = good[0] ?? outcomes.toSorted((a, b) => passes(b) - passes(a))[0];
  const counted = passed('attestations', `${good.length} of ${outcomes.length} are by the expected signer`);
  if (best === undefined || good.length === 0) return { checks: best?.checks ?? [], signers: [] };
  const verified = good.flatMap(({ signers, proof }): VerifiedAttestation[] =>
    proof === undefined ? [] : [{ signers, proof }],
  );
  const checks: Check[] = [
    ...best.checks,
    counted,
    ...(policy === undefined ? [] : [judgeProvenance(verified, policy)]),
  ];
  const signers = new Map(good.flatMap((outcome) => outcome.signers).map((signer) => [signer.keyid, signer]));
  return { checks, signers: verdictOf(checks) === 'trusted' ? [...signers.values()] : [] };
}

function passes({ checks }: SigstoreOutcome): number {
  return checks.filter(({ status }) => status === 'pass').length;
}

function linesOf(bytes: Uint8Array): string[] {
  if (bytes.length > MAX_FILE_BYTES)
    throw new ReleaseError('MATERIAL_TOO_LARGE', `the file is over ${MAX_FILE_BYTES} bytes`);
  try {
    const lines = decodeUtf8(bytes)
      .split('\n')
      .filter((line) => line.trim() !== '');
    if (lines.length === 0) throw new Error('it holds no bundle');
    if (lines.length > MAX_LINES) throw new Error(`it holds over ${MAX_LINES} bundles`);
    return lines;
  } catch (cause) {
    throw new ReleaseError('MATERIAL_MALFORMED', `not a list of bundles: ${messageOf(cause)}`, { cause });
  }
}

/** A whole outcome as one check of a larger one. */
export function folded(name: string, { checks }: MethodOutcome): Check {
  const deciding = decidingCheck({ checks } as Parameters<typeof decidingCheck>[0]);
  if (verdictOf(checks) === 'trusted') return passed(name, checks.map(({ name: part }) => part).join(', '));
  return failed(name, deciding?.code ?? 'MATERIAL_MALFORMED', `${deciding?.name}: ${deciding?.reason}`);
}
