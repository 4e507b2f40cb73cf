import { type Check, passed, type Report, verdictOf } from '../../../core/checks.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import type { Artifact } from '../method.ts';
import type { SigstoreRoot } from './trusted-root.ts';
import type { SigstoreOutcome } from './verify-bundle.ts';

/** Says whose root a verdict rests on, and of when. */
export function trustedRootCheck({ source, digest, newestStart }: SigstoreRoot): Check {
  return passed('trusted-root', escapeForTerminal(`${source}, ${digest}; the newest part of it is of ${newestStart}`));
}

/** The report of one bundle over one artifact; it names the trusted root and its date. */
export function sigstoreReport(
  artifact: Artifact,
  { checks, signers, proof }: SigstoreOutcome,
  root: SigstoreRoot,
): Report {
  const signedAt = proof?.signedAt;
  return {
    verdict: verdictOf(checks),
    subject: {
      type: 'release',
      name: artifact.name,
      digest: `sha256:${artifact.digests.sha256}`,
      detail: {
        'trusted root': root.source,
        'root digest': root.digest,
        'root since': root.newestStart,
        ...(signedAt === undefined ? {} : { 'signed at': signedAt }),
      },
    },
    checks,
    freshness: { status: 'unknown', reason: 'a signature says who and when, never that there is nothing newer' },
    signers,
  };
}
