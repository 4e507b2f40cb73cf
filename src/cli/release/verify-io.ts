import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { Report } from '../../core/checks.ts';
import type { Time } from '../../core/time.ts';
import type { Message } from '../../verify/release/message.ts';
import type { PreparedMethod } from '../../verify/release/prepared.ts';
import { type Finding, type NamedBytes, ReleaseVerification } from '../../verify/release/release-report.ts';
import type { Sbom } from '../../verify/release/sbom/document.ts';
import { parseSbom } from '../../verify/release/sbom/formats.ts';
import { usageError } from '../errors.ts';
import { readArtifact, type Watch } from './artifact-io.ts';
import { type Chosen, chooseSignatures, type Trusted } from './choose.ts';
import { compareArtifact, compareDirectory } from './sbom-io.ts';
import { readMaterial, readSignature, type SignatureFile, signaturesBeside } from './signatures-io.ts';

export type ReleaseRequest = {
  readonly file: string;
  readonly trusted: readonly Trusted[];
  /** Signatures that the command line names. */
  readonly signatures: readonly string[];
  /** A list of checksums that was signed instead of the file. */
  readonly sums?: string | undefined;
  /** A bill of materials, which may be the file itself, and where the files lie that it lists. */
  readonly sbom?: string | undefined;
  readonly sbomRoot?: string | undefined;
  /** About the file itself, whatever else was signed. */
  readonly about: AboutArtifact;
  readonly floor: Time;
};

/** What is said of the artifact apart from signatures over it. */
export type AboutArtifact = {
  readonly methods: readonly PreparedMethod[];
  /** Whether the trust in a sigstore identity or key judges one of them. */
  readonly usesSigstore: boolean;
};

/**
 * Verifies a release.
 * @throws CliError USAGE_OPTION, FILE_NOT_FOUND and others; ReleaseError for trust that is malformed; ArchiveError
 */
export async function verifyRelease(request: ReleaseRequest, watch: Watch): Promise<Report> {
  const { file, floor, about } = request;
  const { chosen, sums } = gather(request);
  const verification = new ReleaseVerification(basename(file), chosen.methods, sums);
  for (const method of about.methods) verification.alsoOfArtifact(method);
  const sbom = readSbom(request);
  // Hashes of every kind it may list: it is parsed only once somebody vouches for it.
  const more = sbom === undefined ? [] : (['sha384', 'sha512'] as const);
  const message = await readArtifact(file, verification.needs(more), watch);
  verification.artifact(message, chosen.notChecked);
  if (sbom !== undefined) await judgeSbom(verification, request, sbom, message, watch);
  return verification.report(message, floor);
}

type Gathered = { readonly chosen: Chosen; readonly sums?: NamedBytes };

function gather({ file, trusted, signatures, sums: list, about }: ReleaseRequest): Gathered {
  const given = signatures.map(readSignature);
  const listed = list === undefined ? undefined : readMaterial(list);
  // OpenBSD's SHA256.sig: the list and its signature in one file, named as either.
  const whole = list === undefined || listed === undefined ? undefined : embeddingList(list, listed);
  const signed = list ?? file;
  const named = whole === undefined ? given : [...given, whole];
  const beside = named.length > 0 ? [] : signaturesBeside(signed);
  const expected = about.usesSigstore ? expecting(trusted, named, beside) : trusted;
  if (expected.length === 0 && about.methods.length > 0 && named.length === 0 && list === undefined) {
    return { chosen: { methods: [], notChecked: beside.map(({ path }) => path) } };
  }
  const chosen = chooseSignatures(signed, expected, named, beside);
  const embedded = chosen.methods.find((method) => method.embedded !== undefined)?.embedded;
  if (embedded === undefined) {
    return list === undefined || listed === undefined ? { chosen } : { chosen, sums: { name: list, bytes: listed } };
  }
  if (chosen.methods.length > 1 || (list !== undefined && whole === undefined)) {
    throw usageError('USAGE_OPTION', 'a signify signature with the signed text in it is checked alone, without others');
  }
  return { chosen, sums: { name: list ?? signatures[0] ?? file, bytes: embedded } };
}

/**
 * What has a signature to find. A key or an identity that judges the provenance need not have signed the file besides;
 * whatever else is trusted must.
 */
function expecting(
  trusted: readonly Trusted[],
  named: readonly SignatureFile[],
  beside: readonly SignatureFile[],
): Trusted[] {
  const pool = [...named, ...beside.filter(({ kind }) => kind === 'raw')];
  return trusted.filter(({ kinds }) => !kinds.includes('sigstore') || pool.some(({ kind }) => kinds.includes(kind)));
}

function embeddingList(path: string, bytes: Uint8Array): SignatureFile | undefined {
  return Buffer.from(bytes.subarray(0, 18)).toString('latin1') === 'untrusted comment:'
    ? { path, bytes, kind: 'signify' }
    : undefined;
}

type SbomInput = NamedBytes & { readonly isArtifact: boolean };

function readSbom({ file, sbom, sbomRoot }: ReleaseRequest): SbomInput | undefined {
  if (sbom === undefined) {
    if (sbomRoot === undefined) return undefined;
    throw usageError('USAGE_OPTION', '--sbom-root says where the files of a list are; name the list with --sbom');
  }
  const bytes = readMaterial(sbom);
  const isArtifact = realpathSync(sbom) === realpathSync(file);
  if (isArtifact && sbomRoot === undefined) {
    throw usageError('USAGE_OPTION', 'to check the files that the list has, say where they are with --sbom-root');
  }
  return { name: sbom, bytes, isArtifact };
}

async function judgeSbom(
  verification: ReleaseVerification,
  request: ReleaseRequest,
  input: SbomInput,
  message: Message,
  { signal }: Watch,
): Promise<void> {
  const { trusted, sums, sbomRoot, signatures, file } = request;
  const beside = signaturesBeside(input.name);
  const methods =
    sums === undefined && !input.isArtifact ? chooseSignatures(input.name, trusted, [], beside).methods : [];
  // What was verified is what is parsed: the artifact may have been read a second time, as other bytes.
  const isVouched = input.isArtifact ? verification.sameBytes(input, message) : verification.sbomSigned(input, methods);
  const own = [
    input.name,
    file,
    ...signatures,
    ...beside.map(({ path }) => path),
    ...(sums === undefined ? [] : [sums]),
  ];
  const finding = isVouched
    ? await settle(() => compare(parseSbom(input.bytes), message, sbomRoot, own, signal), signal)
    : undefined;
  verification.sbomFiles(() => finding?.() ?? { reason: 'not compared' });
}

async function compare(
  sbom: Sbom,
  message: Message,
  root: string | undefined,
  own: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  return root === undefined ? compareArtifact(sbom, message) : compareDirectory(sbom, root, own, signal);
}

/** What it gives or throws, to be told when the check's turn comes. */
async function settle<T>(make: () => Promise<T>, signal: AbortSignal): Promise<() => T> {
  try {
    const value = await make();
    return () => value;
  } catch (error) {
    if (signal.aborted) throw error;
    return () => {
      throw error;
    };
  }
}
