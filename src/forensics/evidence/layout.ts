import { escapeForTerminal } from '../../core/terminal-text.ts';
import { MAX_RANGE_PROOF_BYTES } from '../../ledger/format.ts';
import { type ForensicsError, untrusted } from '../errors.ts';
import {
  BAG_INFO_NAME,
  BAGIT_NAME,
  FETCH_NAME,
  LOG_FILES,
  type LogFile,
  MANIFEST_NAME,
  MAX_DOCUMENT_BYTES,
  MAX_LINES_BYTES,
  PACKAGE_NAME,
  SEAL_NAME,
  TAGMANIFEST_NAME,
} from './format.ts';

/** Which log in a package: the directory `data/logs/<host>/<log>`. */
export type LogPlace = { readonly host: string; readonly log: string };

/** What a file of a package is, by its path below the bag. */
export type EvidencePart =
  | { readonly kind: 'tag' | 'seal' | 'package' }
  | ({ readonly kind: 'log'; readonly file: LogFile } & LogPlace)
  | { readonly kind: 'enrolment'; readonly digest: string }
  | { readonly kind: 'schema'; readonly name: string };

const BAG_NAME = /^([a-z0-9][a-z0-9-]{0,47})-([1-9][0-9]{0,5})\.evidence$/;
const LOG_PATH = /^data\/logs\/([A-Za-z0-9][A-Za-z0-9._-]{0,127})\/([a-z0-9][a-z0-9._-]{0,62})\/([a-z.-]+)$/;
const LOG_NAME = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const ENROLMENT_PATH = /^data\/enrolments\/([0-9a-f]{64})\.dsse\.json$/;
const SCHEMA_PATH = /^data\/schemas\/([a-z0-9][a-z0-9-]{0,62})\.schema\.json$/;
const TAGS: readonly string[] = [BAGIT_NAME, BAG_INFO_NAME, MANIFEST_NAME, TAGMANIFEST_NAME];

/** The directory that a package is, and that its tar holds. */
export function bagName(caseName: string, number: number): string {
  return `${caseName}-${number}.evidence`;
}

export function parseBagName(name: string): { readonly case: string; readonly number: number } | undefined {
  const [, caseName, number] = BAG_NAME.exec(name) ?? [];
  return caseName === undefined ? undefined : { case: caseName, number: Number(number) };
}

export function isLogName(name: string): boolean {
  return LOG_NAME.test(name);
}

export function logPath({ host, log }: LogPlace, file: LogFile): string {
  return `data/logs/${host}/${log}/${LOG_FILES[file]}`;
}

/** @param hex of the payload's SHA-256 */
export function enrolmentPath(hex: string): string {
  return `data/enrolments/${hex}.dsse.json`;
}

export function schemaPath(name: string): string {
  return `data/schemas/${name}.schema.json`;
}

/** How a log is called in a sentence. */
export function describeLog({ host, log }: LogPlace): string {
  return `the log ${log} of host ${host}`;
}

/**
 * What a path in a package names: an allow-list, so that nothing travels along that nobody looks at.
 * @throws ForensicsError UNKNOWN_NAME, or BAG_FETCH for a fetch.txt, by which the sender would have us open URLs
 *   (RFC 8493 section 2.2.3)
 */
export function partOf(path: string): EvidencePart {
  if (TAGS.includes(path)) return { kind: 'tag' };
  if (path === SEAL_NAME) return { kind: 'seal' };
  if (path === PACKAGE_NAME) return { kind: 'package' };
  if (path === FETCH_NAME)
    throw untrusted('BAG_FETCH', 'the package has a fetch.txt: it would have us fetch its content');
  const [, host, log, name] = LOG_PATH.exec(path) ?? [];
  const file = (Object.keys(LOG_FILES) as LogFile[]).find((known) => LOG_FILES[known] === name);
  if (host !== undefined && log !== undefined && file !== undefined) return { kind: 'log', host, log, file };
  const digest = ENROLMENT_PATH.exec(path)?.[1];
  if (digest !== undefined) return { kind: 'enrolment', digest };
  const schema = SCHEMA_PATH.exec(path)?.[1];
  if (schema !== undefined) return { kind: 'schema', name: schema };
  throw unknownName(path);
}

export function unknownName(path: string): ForensicsError {
  return untrusted('UNKNOWN_NAME', `"${escapeForTerminal(path)}" is no file of an evidence package`);
}

/** The most bytes a file of this kind may have. */
export function maxBytesOf(part: EvidencePart): number {
  if (part.kind !== 'log') return MAX_DOCUMENT_BYTES;
  return {
    genesis: MAX_DOCUMENT_BYTES,
    lines: MAX_LINES_BYTES,
    range: MAX_RANGE_PROOF_BYTES,
    checkpoint: MAX_DOCUMENT_BYTES,
  }[part.file];
}
