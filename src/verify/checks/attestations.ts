import type { BundleKind } from '../../bundle/format.ts';
import type { IndexEntry } from '../../bundle/index-lines.ts';
import type { DaemonEyeError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import { VerifyError } from '../errors.ts';

/** What became of one attestation (`verify/attested-file.ts` judges it). */
export type AttestationFinding = {
  /** Of the file, and of what vouches for it, as the index has them. */
  readonly path: string;
  readonly material: string;
} & (
  | { readonly ok: true /** What certificates were judged by, if they were. */; readonly root?: string }
  | { readonly ok: false; readonly cause: DaemonEyeError }
);

/** Files with signatures of third parties. */
export function attestedFiles(entries: readonly IndexEntry[]): IndexEntry[] {
  return entries.filter(({ attestations }) => attestations !== undefined && attestations.length > 0);
}

/**
 * Every third-party signature that the signed index asks for was judged, once, and verified. One that nobody judged
 * counts as one that failed.
 * @throws VerifyError ATTESTATION_KIND for a kind that carries none, ATTESTATION_UNJUDGED; what refused a signature
 */
export function checkAttestations(
  kind: BundleKind,
  entries: readonly IndexEntry[],
  findings: readonly AttestationFinding[],
): string {
  const attested = attestedFiles(entries);
  const [first] = attested;
  if (first === undefined) return 'no file carries a third-party attestation';
  if (kind !== 'update') {
    const message = `${escapeForTerminal(first.path)} carries a third-party attestation, which only bundles of kind update may`;
    throw new VerifyError('ATTESTATION_KIND', message);
  }
  const judged = Map.groupBy(findings, keyOf);
  const wanted = attested.flatMap(({ path, attestations = [] }) =>
    attestations.map(({ material }) => ({ path, material })),
  );
  const roots = new Set<string>();
  for (const attestation of wanted) {
    const [finding, other] = judged.get(keyOf(attestation)) ?? [];
    if (finding === undefined || other !== undefined) {
      const [path, material] = [attestation.path, attestation.material].map(escapeForTerminal);
      throw new VerifyError('ATTESTATION_UNJUDGED', `${path}: ${material} was not judged, or more than once`);
    }
    if (!finding.ok) throw finding.cause;
    if (finding.root !== undefined) roots.add(finding.root);
  }
  const under = roots.size === 0 ? '' : `; certificates by ${[...roots].join(' and ')}`;
  return `${count(wanted.length, 'third-party signature')} over ${count(attested.length, 'file')}, as the index asks${under}`;
}

/** No path has a NUL. */
function keyOf({ path, material }: Pick<AttestationFinding, 'path' | 'material'>): string {
  return `${path}\0${material}`;
}
