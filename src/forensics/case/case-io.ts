import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import caseSchema from '../../../schemas/case.schema.json' with { type: 'json' };
import type { Report } from '../../core/checks.ts';
import type { Digest } from '../../core/digest.ts';
import { messageOf } from '../../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../../core/jcs.ts';
import { validateSchema } from '../../core/schema.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { DurableError } from '../../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../../durable/files-io.ts';
import { acquireLock, type Lock } from '../../durable/lock-io.ts';
import { buildDatabase } from './build-io.ts';
import { CaseError } from './errors.ts';
import {
  CASE_FILE,
  CASE_VERSION,
  CASES_DIRECTORY,
  DATABASE_FILE,
  isCaseName,
  LOCK_FILE,
  PACKAGES_DIRECTORY,
  packageReport,
} from './format.ts';

/** case.json: what was added, and when. */
export type CaseDocument = {
  readonly v: 1;
  readonly name: string;
  readonly createdAt: Time;
  /** In the order they were added. */
  readonly packages: readonly CasePackage[];
};

export type CasePackage = {
  readonly digest: Digest;
  /** What it calls itself: case and number of the sender. */
  readonly name: string;
  readonly addedAt: Time;
  readonly lines: number;
  readonly withheld: number;
};

export type Case = { readonly directory: string; readonly document: CaseDocument };

/** @throws CaseError CASE_NAME */
export function caseDirectory(data: string, name: string): string {
  if (isCaseName(name)) return join(data, CASES_DIRECTORY, name);
  const message = `"${escapeForTerminal(name)}" can't name a case: use lower-case letters, digits and dashes, at most 48`;
  throw new CaseError('CASE_NAME', message, { fault: 'usage' });
}

/**
 * Makes an empty case, whose tables can be asked at once.
 * @param data the data directory
 * @throws CaseError CASE_NAME, CASE_EXISTS or BUILD_FAILED; DurableError
 */
export async function createCase(data: string, name: string, now: Time): Promise<Case> {
  const directory = caseDirectory(data, name);
  if (existsSync(join(directory, CASE_FILE))) {
    throw new CaseError('CASE_EXISTS', `there is a case ${name} already; choose another name`);
  }
  createDirectoryDurably(join(directory, PACKAGES_DIRECTORY));
  using _ = lockCase(directory, name);
  if (existsSync(join(directory, CASE_FILE))) {
    throw new CaseError('CASE_EXISTS', `there is a case ${name} already; choose another name`);
  }
  await buildDatabase(join(directory, DATABASE_FILE), []);
  const document: CaseDocument = { v: CASE_VERSION, name, createdAt: now, packages: [] };
  writeCase({ directory, document });
  return { directory, document };
}

/** @throws CaseError CASE_NAME, CASE_NOT_FOUND or CASE_DAMAGED */
export function openCase(data: string, name: string): Case {
  const directory = caseDirectory(data, name);
  const path = join(directory, CASE_FILE);
  if (!existsSync(path)) {
    const known = listCases(data);
    const hint = known.length === 0 ? 'make it: daemoneye case create' : `there are: ${known.join(', ')}`;
    throw new CaseError('CASE_NOT_FOUND', `there is no case ${name}; ${hint}`);
  }
  try {
    const json = parseCanonicalJson(new Uint8Array(readFileSync(path)));
    return { directory, document: validateSchema<CaseDocument>(caseSchema, json) };
  } catch (cause) {
    const message = `${escapeForTerminal(path)} is not as it was written (${messageOf(cause)}); make the case again from its packages`;
    throw new CaseError('CASE_DAMAGED', message, { cause, fault: 'tampered' });
  }
}

/** Names of the cases there are, sorted. */
export function listCases(data: string): readonly string[] {
  const directory = join(data, CASES_DIRECTORY);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => isCaseName(name) && existsSync(join(directory, name, CASE_FILE)))
    .sort();
}

export function writeCase({ directory, document }: Case): void {
  writeFileDurably(join(directory, CASE_FILE), encodeCanonicalJson(document));
}

/** What was found when the package was added. */
export function readReport(directory: string, digest: Digest): Report {
  return JSON.parse(readFileSync(join(directory, PACKAGES_DIRECTORY, packageReport(digest)), 'utf8')) as Report;
}

/** One process at a time changes a case. @throws CaseError CASE_BUSY; DurableError */
export function lockCase(directory: string, name: string): Lock {
  try {
    return acquireLock(join(directory, LOCK_FILE));
  } catch (cause) {
    if (!(cause instanceof DurableError) || cause.code !== 'LOCKED') throw cause;
    const message = `the case ${name} is held open by another process that changes it; wait for it or stop it`;
    throw new CaseError('CASE_BUSY', message, { cause });
  }
}
