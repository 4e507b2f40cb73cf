import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '../../core/bytes.ts';
import type { Report } from '../../core/checks.ts';
import type { Time } from '../../core/time.ts';
import { renameDurably, writeFileDurably } from '../../durable/files-io.ts';
import { buildDatabase } from './build-io.ts';
import { type Case, type CasePackage, lockCase, openCase, writeCase } from './case-io.ts';
import { DATABASE_FILE, PACKAGES_DIRECTORY, packageDirectory, packageReport } from './format.ts';
import { type HeldPackage, openHeldPackage, readPackageDigest } from './package-io.ts';

/**
 * Copies a package into an empty directory and verifies that copy, against the trust of this side: `verifyEvidence` with
 * its trust and staging filled in. `contents` only says that it is trusted.
 */
export type VerifyPackage = (path: string, staging: string) => Promise<{ readonly report: Report }>;

export type AddOutcome =
  | { readonly status: 'refused'; readonly report: Report }
  /** It is in the case already. */
  | { readonly status: 'unchanged'; readonly report: Report; readonly package: CasePackage }
  | { readonly status: 'added'; readonly report: Report; readonly package: CasePackage; readonly case: Case };

export type AddOptions = { readonly now: Time; readonly verify: VerifyPackage; readonly signal?: AbortSignal };

/**
 * Adds an evidence package to a case: copies and verifies it, always, and only then builds the database anew from this
 * and every other package of the case. Until the last step nothing of the case changes.
 * @throws CaseError CASE_NAME, CASE_NOT_FOUND, CASE_DAMAGED, CASE_BUSY, LOG_FORK or BUILD_FAILED; DurableError; what
 *   `verify` throws
 */
export async function addPackage(data: string, name: string, path: string, options: AddOptions): Promise<AddOutcome> {
  const { directory } = openCase(data, name);
  using _ = lockCase(directory, name);
  const { document } = openCase(data, name);
  const packages = join(directory, PACKAGES_DIRECTORY);
  removeLeftovers(packages);
  const staging = mkdtempSync(join(packages, INCOMING));
  try {
    const { report } = await options.verify(path, staging);
    if (report.verdict !== 'trusted') return { status: 'refused', report };
    const digest = readPackageDigest(staging);
    const known = document.packages.find((one) => one.digest === digest);
    if (known !== undefined) return { status: 'unchanged', report, package: known };

    const held = document.packages.map((one) =>
      openHeldPackage(join(packages, packageDirectory(one.digest)), one.digest),
    );
    const incoming = openHeldPackage(staging, digest);
    const place = join(packages, packageDirectory(digest));
    // Left by an addition that was interrupted before it was noted.
    if (existsSync(place)) rmSync(place, { recursive: true });
    const logs = [...held, incoming].flatMap((one) => one.logs);
    await buildDatabase(join(directory, DATABASE_FILE), logs, options.signal);
    renameDurably(staging, place);
    writeFileDurably(join(packages, packageReport(digest)), utf8(JSON.stringify(report)));
    const added = casePackage(incoming, options.now);
    const grown = { directory, document: { ...document, packages: [...document.packages, added] } };
    writeCase(grown);
    return { status: 'added', report, package: added, case: grown };
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

const INCOMING = '.incoming-';

/** Of an addition that was killed. */
function removeLeftovers(packages: string): void {
  for (const name of readdirSync(packages)) {
    if (name.startsWith(INCOMING)) rmSync(join(packages, name), { recursive: true, force: true });
  }
}

function casePackage({ digest, document }: HeldPackage, addedAt: Time): CasePackage {
  const logs = document.hosts.flatMap((host) => host.logs);
  return {
    digest,
    name: `${document.case}-${document.number}`,
    addedAt,
    lines: logs.reduce((sum, { lines }) => sum + lines, 0),
    withheld: logs.reduce((sum, { withheld }) => sum + withheld, 0),
  };
}
