import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Report } from '../../core/checks.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import { assertChecksums, type SumsEntry } from '../../verify/release/checksums.ts';
import { isReleaseFile } from '../../verify/release/debian/release-file.ts';
import { ReleaseError } from '../../verify/release/errors.ts';
import { type Message, messageOfBytes } from '../../verify/release/message.ts';
import { isClearsigned } from '../../verify/release/openpgp/signature-file.ts';
import { ReleaseVerification } from '../../verify/release/release-report.ts';
import { type Finding, PACKAGE_HASHES, type PackagesIndex } from '../../verify/release/signed-list.ts';
import { usageError } from '../errors.ts';
import type { Watch } from './artifact-io.ts';
import { aloneOnly, chooseSignatures } from './choose.ts';
import { hashedFiles } from './hashed-files-io.ts';
import { readPackages } from './packages-io.ts';
import type { ReleaseRequest } from './request.ts';
import { settle } from './settle.ts';
import { MAX_FILE_BYTES, readMaterial, readSignature, signaturesBeside } from './signatures-io.ts';

/** What lies beside a Release file and says the same: no list has itself. */
const ARCHIVE_FILES = ['InRelease', 'Release', 'Release.gpg'];

/** Whether FILE is itself what was signed as a list: by what is asked of it, or by what is in it. */
export function isList({ file, sums, sumsRoot, debs, trusted }: ReleaseRequest): boolean {
  if (sumsRoot !== undefined || debs !== undefined) {
    if (sums === undefined) return true;
    throw usageError('USAGE_OPTION', '--sums-root and --debs are for FILE being the signed list; leave --sums out');
  }
  if (sums !== undefined || !trusted.some(({ kinds }) => kinds.includes('openpgp'))) return false;
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY) > MAX_FILE_BYTES) return false;
  const bytes = readMaterial(file);
  return isClearsigned(bytes) || isReleaseFile(bytes);
}

/**
 * Verifies a signed list by itself: a cleartext message, a Release file, or any list that files are to be compared with.
 * It is read once, whole.
 * @throws CliError USAGE_OPTION and others; ReleaseError; ArchiveError
 */
export async function verifyList(request: ReleaseRequest, { signal }: Watch): Promise<Report> {
  const { file, floor, trusted, signatures, about, sbom, sumsRoot, packages, debs, listedAs } = request;
  if (about.methods.length > 0 || sbom !== undefined) {
    throw usageError(
      'USAGE_OPTION',
      'provenance, npm and lists of files are about an artifact, and FILE is a signed list',
    );
  }
  if (listedAs !== undefined && packages === undefined) {
    throw usageError('USAGE_OPTION', '--listed-as says where INDEX is in the list; give --packages INDEX too');
  }
  if ((packages === undefined) !== (debs === undefined)) {
    throw usageError('USAGE_OPTION', '--debs DIR and --packages INDEX go together where FILE is the signed list');
  }
  const bytes = readMaterial(file);
  const isWhole = isClearsigned(bytes);
  const given = signatures.map(readSignature);
  const beside = isWhole || given.length > 0 ? [] : signaturesBeside(file);
  const named = isWhole ? [...given, { path: file, bytes, kind: 'openpgp' as const }] : given;
  const { methods, notChecked } = await chooseSignatures(file, trusted, named, beside);
  if (isWhole && methods.length > 1) throw aloneOnly();
  // Of a cleartext message nothing but its text is ever read; nothing at all, if that can't be told.
  const text = isWhole ? (methods[0]?.embedded ?? new Uint8Array()) : bytes;
  const index = packages === undefined ? undefined : readPackages(packages);
  const wanted = packages === undefined ? {} : { about: basename(packages), listedAs };
  const verification = new ReleaseVerification(methods, { name: file, bytes: text, floor, ...wanted });
  if (index !== undefined) verification.through(index);
  const message = messageOfBytes(file, bytes);
  verification.list(message, notChecked);
  const others = ARCHIVE_FILES.map((name) => join(dirname(file), name));
  const own = [
    file,
    ...signatures,
    ...beside.map(({ path }) => path),
    ...others,
    ...(packages === undefined ? [] : [packages]),
  ];
  if (sumsRoot !== undefined) {
    const found = await whenGood(verification, () => compareRoot(verification.listed(), sumsRoot, own, signal), signal);
    verification.listedFiles('files', found);
  }
  if (index !== undefined && debs !== undefined) {
    const found = await whenGood(verification, () => compareDebs(index, debs, own, signal), signal);
    verification.listedFiles('packages', found);
  }
  return verification.report(message, floor);
}

/** Nothing is compared with a list that nobody vouches for. */
async function whenGood(
  verification: ReleaseVerification,
  compare: () => Promise<Finding>,
  signal: AbortSignal,
): Promise<() => Finding> {
  return verification.isGood ? settle(compare, signal) : () => ({ reason: 'not compared' });
}

async function compareRoot(
  entries: readonly SumsEntry[],
  root: string,
  own: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  const lines = Map.groupBy(entries, ({ path }) => path);
  const byHash = Map.groupBy(entries, hashedPath);
  const linesOf = (path: string) => {
    const found = lines.get(path) ?? byHash.get(path);
    if (found !== undefined) return found;
    throw new ReleaseError(
      'SUMS_NOT_LISTED',
      `there is no line for "${escapeForTerminal(path)}" among ${entries.length}`,
    );
  };
  const found: string[] = [];
  for await (const file of hashedFiles(root, own, (path) => linesOf(path).map(({ hash }) => hash), signal)) {
    assertChecksums(messageOf(file), linesOf(file.path));
    found.push(file.path);
  }
  if (found.length === 0) throw noFiles(root);
  const missing = lines.size - found.filter((path) => lines.has(path)).length;
  const reason = `${count(found.length, 'file')} under ${escapeForTerminal(root)} are as listed; ${missing} listed ones are not there`;
  return { reason, detail: { files: found.length, missing } };
}

async function compareDebs(
  index: PackagesIndex,
  root: string,
  own: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  const packages = index.open();
  const found: string[] = [];
  for await (const file of hashedFiles(root, own, () => PACKAGE_HASHES, signal)) {
    const listed = packages.find(basename(file.path));
    assertChecksums(messageOf(file), listed.entries);
    found.push(`${listed.name} ${listed.version} ${listed.architecture}`);
  }
  if (found.length === 0) throw noFiles(root);
  const reason = `${count(found.length, 'file')} under ${escapeForTerminal(root)} are packages as the index has them`;
  return { reason, detail: { packages: found } };
}

function messageOf({ path, size, digests }: { path: string; size: number; digests: object }): Message {
  return { name: path, size, digests: { sha256: '', ...digests } };
}

/** Where archives keep the same file under its digest (`Acquire-By-Hash`). */
function hashedPath({ path, hash, hex }: SumsEntry): string {
  return [...path.split('/').slice(0, -1), 'by-hash', hash.toUpperCase(), hex].join('/');
}

function noFiles(root: string): ReleaseError {
  return new ReleaseError('SUMS_NOT_LISTED', `there is no file to check under ${escapeForTerminal(root)}`);
}
