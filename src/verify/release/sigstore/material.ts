import { decodeUtf8 } from '../../../core/bytes.ts';
import type { Artifact, MethodOutcome } from '../method.ts';
import type { ReleasePolicy } from '../provenance/policy.ts';
import { readCosignBundle } from './cosign.ts';
import { judgeOutcomes, verifyBundleLines } from './many.ts';
import { readBundle } from './read-bundle.ts';
import { type SigstoreTrust, verifyReadBundle } from './verify-bundle.ts';

/** What a file of sigstore's kind holds. */
export type SigstoreMaterial = 'bundle' | 'bundle-lines' | 'cosign-bundle' | 'npm-attestations' | 'npm-version';

const PEEK_BYTES = 64 * 1024;

/**
 * What kind of material a JSON file is, by the names in its first part. A hint and no more: whoever reads it reads it
 * strictly, and what was taken for the wrong kind is refused there.
 * @returns undefined for JSON of no kind that is known
 */
export function sigstoreMaterial(bytes: Uint8Array): SigstoreMaterial | undefined {
  const head = headOf(bytes);
  const has = (name: string): boolean => head.includes(`"${name}"`);
  if (has('base64Signature')) return 'cosign-bundle';
  if (has('attestations') && has('predicateType')) return 'npm-attestations';
  if (has('mediaType') || has('verificationMaterial')) return isLines(bytes) ? 'bundle-lines' : 'bundle';
  return has('dist') && has('version') ? 'npm-version' : undefined;
}

function headOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, PEEK_BYTES)).toString('latin1');
}

/** One document a line: the first line closes what it opens, and there is more after it. */
function isLines(bytes: Uint8Array): boolean {
  const end = bytes.indexOf(0x0a);
  if (end === -1 || !bytes.subarray(end).some((byte) => byte > 0x20)) return false;
  try {
    JSON.parse(decodeUtf8(bytes.subarray(0, end)));
    return true;
  } catch {
    // The first line of one document over several lines.
    return false;
  }
}

/** Verifies an artifact by any material of sigstore's that needs nothing more than trust and, perhaps, a policy. */
export function verifySigstoreMaterial(
  artifact: Artifact,
  bytes: Uint8Array,
  trust: SigstoreTrust,
  policy?: ReleasePolicy,
): MethodOutcome {
  switch (sigstoreMaterial(bytes)) {
    case 'bundle-lines':
      return verifyBundleLines(artifact, bytes, trust, policy);
    case 'cosign-bundle':
      return judgeOutcomes([verifyReadBundle(artifact, () => readCosignBundle(bytes), trust)], policy);
    default:
      return judgeOutcomes([verifyReadBundle(artifact, () => readBundle(bytes), trust)], policy);
  }
}
