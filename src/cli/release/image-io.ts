import { type Report, verdictOf } from '../../core/checks.ts';
import type { Time } from '../../core/time.ts';
import { usageError } from '../errors.ts';
import { openLayout } from './layout-io.ts';
import { type ProvenanceOptions, readPolicyFile, sigstoreTrust } from './provenance-io.ts';
import type { TrustFiles } from './trust-files-io.ts';

export type ImageOptions = ProvenanceOptions & {
  readonly file: string;
  /** Its name in the layout, or `sha256:` and 64 hex digits. */
  readonly image?: string | undefined;
};

/**
 * Verifies an image in an OCI layout directory, by the signatures in it.
 * @throws CliError USAGE_OPTION; ReleaseError LAYOUT_MALFORMED and as `sigstoreTrust`
 */
export async function verifyImage(
  options: ImageOptions,
  floor: Time,
  files: TrustFiles,
  signal: AbortSignal,
): Promise<Report> {
  const { file, image, policy: policyFile, provenance } = options;
  if (provenance !== undefined)
    throw usageError('USAGE_OPTION', 'the provenance of an image lies in its layout; give only --policy');
  const trust = await sigstoreTrust(options, files);
  const policy = policyFile === undefined ? undefined : await readPolicyFile(policyFile);
  const { verifyOciLayout } = await import('../../verify/release/oci/verify-layout.ts');
  const { checks, signers } = verifyOciLayout(openLayout(file, signal), choiceOf(image), trust, policy);
  return {
    verdict: verdictOf(checks),
    subject: {
      type: 'release',
      name: file,
      detail: { 'trusted root': trust.root.source, 'root digest': trust.root.digest },
    },
    checks,
    freshness: { status: 'not-provable', reason: 'a signature does not tell whether something newer exists', floor },
    signers,
  };
}

function choiceOf(image: string | undefined): { readonly digest?: string; readonly name?: string } {
  if (image === undefined) return {};
  return image.startsWith('sha256:') ? { digest: image } : { name: image };
}
