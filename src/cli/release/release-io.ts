import type { Report } from '../../core/checks.ts';
import { usageError } from '../errors.ts';
import { isDirectory } from '../files-io.ts';
import type { Watch } from './artifact-io.ts';
import type { ReleaseStanding } from './floor.ts';
import { type NpmOptions, readNpm } from './npm-io.ts';
import { type ProvenanceOptions, readProvenance } from './provenance-io.ts';
import type { ReleaseFiles } from './request.ts';
import { type TrustFiles, trustFiles } from './trust-files-io.ts';
import { readTrusted, type TrustOptions } from './trusted.ts';
import { verifyRelease } from './verify-io.ts';

/** What the command line says of a release. */
export type ReleaseOptions = TrustOptions &
  ProvenanceOptions &
  NpmOptions &
  ReleaseFiles & { readonly image?: string | undefined };

/**
 * Judges a file, or an image in an OCI layout directory.
 * @throws CliError, ReleaseError, ArchiveError: a mistake of whoever asks, or what can't be read at all
 */
export async function judgeRelease(options: ReleaseOptions, standing: ReleaseStanding, watch: Watch): Promise<Report> {
  const files = trustFiles(standing);
  const judge = isDirectory(options.file) ? judgeImage : judgeFile;
  const report = await judge(options, standing, files, watch);
  const [first, ...others] = files.used();
  if (first === undefined) return report;
  const { subject } = report;
  return { ...report, subject: { ...subject, detail: { ...subject.detail, pinned: [first, ...others].join('; ') } } };
}

/** Its signatures lie in it, and are sigstore's. */
async function judgeImage(
  options: ReleaseOptions,
  { floor }: ReleaseStanding,
  files: TrustFiles,
  { signal }: Watch,
): Promise<Report> {
  const { minisign, signify, sshSigners, openpgp, sums, sbom, bundle, npm, npmSignatures, npmKeys } = options;
  const { signatures, listedAs, packages, sumsRoot, debs } = options;
  const ofFiles = [minisign, signify, sshSigners, openpgp, sums, sbom, bundle, npm, npmSignatures, npmKeys];
  const others = [...ofFiles, listedAs, packages, sumsRoot, debs, ...signatures];
  if (others.some((given) => given !== undefined)) {
    throw usageError('USAGE_OPTION', 'an image in a directory is judged by the sigstore signatures in it alone');
  }
  const { verifyImage } = await import('./image-io.ts');
  return verifyImage(options, floor, files, signal);
}

async function judgeFile(
  options: ReleaseOptions,
  { floor }: ReleaseStanding,
  files: TrustFiles,
  watch: Watch,
): Promise<Report> {
  const { file, image, bundle, npm, signatures: given, sums, sbom, sbomRoot } = options;
  const { listedAs, packages, sumsRoot, debs } = options;
  if (image !== undefined) throw usageError('USAGE_OPTION', '--image names one in an OCI layout directory');
  const isNpmBundle = npm !== undefined && bundle !== undefined;
  const signatures = bundle === undefined || isNpmBundle ? given : [...given, bundle];
  const trusted = await readTrusted(options, floor, files);
  const provenance = await readProvenance(options, files, isNpmBundle);
  const ofRegistry = await readNpm(options, files);
  const about = {
    methods: [...(provenance === undefined ? [] : [provenance]), ...ofRegistry],
    usesSigstore: provenance !== undefined || isNpmBundle,
  };
  const listed = { sums, listedAs, packages, sumsRoot, debs };
  return verifyRelease({ file, trusted, signatures, ...listed, sbom, sbomRoot, about, floor }, watch);
}
