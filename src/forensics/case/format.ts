/** Every name in the directory of a case (docs/formats.md, "Cases"). */

export const CASES_DIRECTORY = 'cases';
export const CASE_FILE = 'case.json';
export const DATABASE_FILE = 'case.duckdb';
export const PACKAGES_DIRECTORY = 'packages';
export const LOCK_FILE = 'lock';

export const CASE_VERSION = 1;
const CASE_NAME = /^[a-z0-9][a-z0-9-]{0,47}$/;

/** Lower-case letters, digits and dashes, at most 48: a name that is a name of a directory everywhere. */
export function isCaseName(name: string): boolean {
  return CASE_NAME.test(name);
}

/** The directory of a verified package, by the hex of its digest. */
export function packageDirectory(digest: string): string {
  return `${hexOf(digest)}.evidence`;
}

/** The report of its verification, beside it: what was found then, by this tool. */
export function packageReport(digest: string): string {
  return `${hexOf(digest)}.report.json`;
}

function hexOf(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1);
}
