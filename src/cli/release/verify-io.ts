import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { Report } from '../../core/checks.ts';
import type { Message } from '../../verify/release/message.ts';
import { isClearsigned } from '../../verify/release/openpgp/signature-file.ts';
import { ReleaseVerification } from '../../verify/release/release-report.ts';
import type { Finding, NamedBytes } from '../../verify/release/signed-list.ts';
import { usageError } from '../errors.ts';
import { readArtifact, type Watch } from './artifact-io.ts';
import { aloneOnly, type Chosen, chooseSignatures, type Trusted } from './choose.ts';
import type { ReleaseRequest } from './request.ts';
import { settle } from './settle.ts';
import { readMaterial, readSignature, type SignatureFile, signaturesBeside } from './signatures-io.ts';

/**
 * Verifies a release.
 * @throws CliError USAGE_OPTION, FILE_NOT_FOUND and others; ReleaseError for trust that is malformed; ArchiveError
 */
export async function verifyRelease(request: ReleaseRequest, watch: Watch): Promise<Report> {
  const asList = await judgedAsList(request, watch);
  if (asList !== undefined) return asList;
  const { file, floor, about, packages, listedAs } = request;
  const { chosen, sums } = await gather(request);
  if (sums === undefined && (packages ?? listedAs) !== undefined) {
    const option = packages === undefined ? '--listed-as' : '--packages';
    throw usageError('USAGE_OPTION', `${option} says nothing alone: name the signed list with --sums`);
  }
  const list = sums === undefined ? undefined : { ...sums, about: basename(packages ?? file), listedAs, floor };
  const verification = new ReleaseVerification(chosen.methods, list);
  if (packages !== undefined) verification.through((await import('./packages-io.ts')).readPackages(packages));
  for (const method of about.methods) verification.alsoOfArtifact(method);
  const sbom = readSbom(request);
  // Hashes of every kind it may list: it is parsed only once somebody vouches for it.
  const more = sbom === undefined ? [] : (['sha384', 'sha512'] as const);
  const message = await readArtifact(file, verification.needs(more), watch);
  verification.artifact(message, chosen.notChecked);
  if (sbom !== undefined) await judgeSbom(verification, request, sbom, message, watch);
  return verification.report(message, floor);
}

/** FILE may be a signed list itself, where what lists have is asked about or what signs them is trusted. */
async function judgedAsList(request: ReleaseRequest, watch: Watch): Promise<Report | undefined> {
  const { sumsRoot, debs, trusted } = request;
  const mayBe = (sumsRoot ?? debs) !== undefined || trusted.some(({ kinds }) => kinds.includes('openpgp'));
  if (!mayBe) return undefined;
  const { isList, verifyList } = await import('./list-io.ts');
  return isList(request) ? verifyList(request, watch) : undefined;
}

type Gathered = { readonly chosen: Chosen; readonly sums?: NamedBytes };

async function gather({ file, trusted, signatures, sums: list, about }: ReleaseRequest): Promise<Gathered> {
  const given = signatures.map(readSignature);
  const listed = list === undefined ? undefined : readMaterial(list);
  // OpenBSD's SHA256.sig, Debian's InRelease: the list and its signature in one file, named as either.
  const whole = list === undefined || listed === undefined ? undefined : embeddingList(list, listed);
  const signed = list ?? file;
  const named = whole === undefined ? given : [...given, whole];
  const beside = named.length > 0 ? [] : signaturesBeside(signed);
  const expected = about.usesSigstore ? expecting(trusted, named, beside) : trusted;
  if (expected.length === 0 && about.methods.length > 0 && named.length === 0 && list === undefined) {
    return { chosen: { methods: [], notChecked: beside.map(({ path }) => path) } };
  }
  const chosen = await chooseSignatures(signed, expected, named, beside);
  const embedded = chosen.methods.find((method) => method.embedded !== undefined)?.embedded;
  if (embedded === undefined) {
    return list === undefined || listed === undefined ? { chosen } : { chosen, sums: { name: list, bytes: listed } };
  }
  if (chosen.methods.length > 1 || (list !== undefined && whole === undefined)) {
    throw aloneOnly();
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
  if (isClearsigned(bytes)) return { path, bytes, kind: 'openpgp' };
  const isSignify = Buffer.from(bytes.subarray(0, 18)).toString('latin1') === 'untrusted comment:';
  return isSignify ? { path, bytes, kind: 'signify' } : undefined;
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
    sums === undefined && !input.isArtifact ? (await chooseSignatures(input.name, trusted, [], beside)).methods : [];
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
    ? await settle(() => compare(input.bytes, message, sbomRoot, own, signal), signal)
    : undefined;
  verification.sbomFiles(() => finding?.() ?? { reason: 'not compared' });
}

async function compare(
  bytes: Uint8Array,
  message: Message,
  root: string | undefined,
  own: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  // Few releases come with one.
  const [{ parseSbom }, { compareArtifact, compareDirectory }] = await Promise.all([
    import('../../verify/release/sbom/formats.ts'),
    import('./sbom-io.ts'),
  ]);
  const sbom = parseSbom(bytes);
  return root === undefined ? compareArtifact(sbom, message) : compareDirectory(sbom, root, own, signal);
}
