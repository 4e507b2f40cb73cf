import type { Check } from '../../../core/checks.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { ReleaseError, type ReleaseErrorCode } from '../errors.ts';
import type { Sbom, SbomFile, SbomHash } from './document.ts';

/** Lower-case hex of each hash that the list has for a file. */
export type FileHashes = { readonly [name in SbomHash]?: string };

export type SbomComparison = {
  readonly matching: number;
  readonly missing: readonly string[];
  readonly different: readonly string[];
  readonly unlisted: readonly string[];
};

/** Most names of each sort in a report. */
const MOST_NAMES = 20;
const NAMES_IN_SENTENCE = 3;

/** Which listed files are there and the same, which differ, which are missing, and which nobody listed. */
export function compareSbom({ files }: Sbom, found: ReadonlyMap<string, FileHashes>): SbomComparison {
  const listed = new Set(files.map(({ path }) => path));
  const there = files.filter(({ path }) => found.has(path));
  const different = there.filter((file) => !isSame(file, found.get(file.path) ?? {}));
  return {
    matching: there.length - different.length,
    missing: files.filter(({ path }) => !found.has(path)).map(({ path }) => path),
    different: different.map(({ path }) => path),
    unlisted: [...found.keys()].filter((path) => !listed.has(path)),
  };
}

/** Every hash that is listed, not just one: a list with one right and one wrong hash is no evidence. */
export function isSame({ hashes }: SbomFile, actual: FileHashes): boolean {
  return Object.entries(hashes).every(([name, hex]) => actual[name as SbomHash] === hex);
}

/** @returns the reason the check passes @throws ReleaseError SBOM_MISMATCH, SBOM_MISSING or SBOM_UNLISTED */
export function judgeComparison({ format }: Sbom, comparison: SbomComparison): string {
  const { matching, different, missing, unlisted } = comparison;
  const problems: readonly (readonly [ReleaseErrorCode, string, readonly string[]])[] = [
    ['SBOM_MISMATCH', 'differ from what is listed', different],
    ['SBOM_MISSING', 'are listed and missing', missing],
    ['SBOM_UNLISTED', 'are not listed', unlisted],
  ];
  const found = problems.filter(([, , paths]) => paths.length > 0);
  const [worst] = found;
  if (worst === undefined) return `${count(matching, 'file')}, each as the ${format} list says, and no other`;
  const sentence = found.map(([, problem, paths]) => `${paths.length} ${problem}: ${namesOf(paths)}`).join('; ');
  throw new ReleaseError(worst[0], `of the files checked against the ${format} list, ${sentence}`);
}

/** For the report; JSON escapes what has to be. */
export function comparisonDetail({
  matching,
  different,
  missing,
  unlisted,
}: SbomComparison): NonNullable<Check['detail']> {
  const some = (paths: readonly string[]) => paths.slice(0, MOST_NAMES);
  return { matching, different: some(different), missing: some(missing), unlisted: some(unlisted) };
}

function namesOf(paths: readonly string[]): string {
  const shown = paths.slice(0, NAMES_IN_SENTENCE).map((path) => `"${escapeForTerminal(path)}"`);
  return [...shown, ...(paths.length > NAMES_IN_SENTENCE ? ['…'] : [])].join(', ');
}
