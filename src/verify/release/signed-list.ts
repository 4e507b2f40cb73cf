import type { Check } from '../../core/checks.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { assertChecksums, type SumsEntry } from './checksums.ts';
import { type PackagesFile, sayPackage } from './debian/packages-file.ts';
import { assertCurrent, parseReleaseFile, type ReleaseFile, sayRelease } from './debian/release-file.ts';
import type { Message, MessageHash } from './message.ts';

/** A file in memory, by the name people know it by. */
export type NamedBytes = { readonly name: string; readonly bytes: Uint8Array };

/** What was found, in a sentence and for programs. */
export type Finding = { readonly reason: string; readonly detail?: Check['detail'] };

/** A list of files that somebody signed: checksums, or a Release file of an archive. */
export type SignedList = NamedBytes & {
  /** The file name that the list has to have a line for; undefined where the list itself is what was asked about. */
  readonly about?: string | undefined;
  /** Its path in the list, where the name alone doesn't tell. */
  readonly listedAs?: string | undefined;
  /** It is at least this moment. */
  readonly floor: Time;
};

/** An index of packages that the list has a line for, and that has a paragraph for the artifact. */
export type PackagesIndex = {
  /** Its bytes as the list means them: compressed, if they are. */
  readonly message: Message;
  /** Called once it is proven. @throws ReleaseError PACKAGES_MALFORMED */
  readonly open: () => PackagesFile;
};

/** What an index may list a package by. */
export const PACKAGE_HASHES: readonly MessageHash[] = ['sha256', 'sha512'];

/**
 * Reads a Release file whose signature was checked.
 * @returns what it says, also where it says it no longer; `finding` throws then
 * @throws ReleaseError as `parseReleaseFile`
 */
export function judgeArchive(bytes: Uint8Array, floor: Time): { archive: ReleaseFile; finding: () => Finding } {
  const archive = parseReleaseFile(bytes);
  const { told, date, validUntil, entries } = archive;
  const end = validUntil === undefined ? {} : { 'Valid-Until': validUntil };
  const finding = () => {
    assertCurrent(archive, floor);
    return { reason: sayRelease(archive), detail: { ...told, Date: date, ...end, lines: entries.length } };
  };
  return { archive, finding };
}

/** @throws ReleaseError SUMS_MISMATCH */
export function matchLines(lines: readonly SumsEntry[], message: Message): Finding {
  assertChecksums(message, lines);
  const which = lines.map(({ line, hash }) => `line ${line} (${hash})`).join(' and ');
  const [path = ''] = lines.map((line) => line.path);
  const [what, listed] = [fileName(message.name), path].map(escapeForTerminal);
  return { reason: `${what} is ${listed}, the one of ${which} of the signed list`, detail: { path } };
}

/** @throws ReleaseError PACKAGES_NOT_LISTED, SUMS_MISMATCH, and as `PackagesFile` */
export function findPackage(index: PackagesIndex, message: Message): Finding {
  const listed = index.open().find(fileName(message.name));
  assertChecksums(message, listed.entries);
  const { name, version, architecture, path } = listed;
  const detail = { package: name, version, architecture, path };
  return { reason: `the file is ${sayPackage(listed)}, as the index has it`, detail };
}

/** The last part of a path, by either separator. */
export function fileName(path: string): string {
  return path.split(/[/\\]/).at(-1) ?? path;
}
