import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { blobName, ENVELOPE_NAME, INDEX_NAME, rootName } from '../../src/bundle/format.ts';
import { createStaging } from '../../src/install/staging-io.ts';
import {
  type BundleJudgement,
  type ContentCheck,
  type JudgeOptions,
  judgeBundle,
} from '../../src/install/verify-io.ts';
import { BUNDLE_CHECKS, type BundleTrust } from '../../src/verify/bundle-verification.ts';
import { tempDirectory } from '../support/temp.ts';
import {
  type BundlePlan,
  makeBundle,
  pinnedRoot,
  rootDocument,
  rootFile,
  type SampleBundle,
  trustOf,
} from '../support/trust.ts';
import { type Member, tarOf } from './tar-members.ts';

/** Bundles on disk, good or hostile, judged the way `bundle verify` and `bundle apply` do: read, staged, checked. */

/** As few keys as will do: each costs milliseconds to check, and here many bundles are judged. */
export const LIGHT = { roles: { root: { keys: ['rules-a'] }, rules: { keys: ['rules-a'] } } } as const;
const chain = [rootFile(rootDocument(LIGHT), ['rules-a'])];
export const lightTrust: BundleTrust = trustOf({ pinned: pinnedRoot(LIGHT) });

/** A bundle signed by the one key of {@link LIGHT}. */
export function lightBundle(plan: BundlePlan = {}): SampleBundle {
  return makeBundle({ roots: chain, signers: ['rules-a'], ...plan });
}

export function membersOfBundle({ envelope, roots, index, blobs }: SampleBundle): Member[] {
  return [
    [ENVELOPE_NAME, envelope],
    ...roots.map(({ version, bytes }): Member => [rootName(version), bytes]),
    [INDEX_NAME, index],
    ...[...blobs.keys()].sort().map((sha256): Member => [blobName(sha256), blobs.get(sha256) ?? new Uint8Array()]),
  ];
}

export function writeDirectory(members: readonly Member[], directory = join(tempDirectory(), 'x.bundle')): string {
  for (const [name, bytes] of members) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), bytes);
  }
  return directory;
}

export function writeFile(bytes: Uint8Array): string {
  const path = join(tempDirectory(), 'x.bundle.tar');
  writeFileSync(path, bytes);
  return path;
}

export function writeTarOf(members: readonly Member[]): string {
  return writeFile(tarOf(members));
}

export type JudgePlan = JudgeOptions & {
  readonly trust?: BundleTrust;
  readonly content?: ContentCheck;
  /** Where staging is made; by default a place of its own. */
  readonly parent?: string;
};

export type Judged = BundleJudgement & {
  /** Install path to content, as the content check found it staged; undefined when nothing got that far. */
  readonly files?: Readonly<Record<string, string>>;
};

/**
 * Judges what lies at a path. Whatever it is, the report is whole, its text is harmless on a terminal, and nothing is
 * left in the place where it was staged.
 */
export async function judgePath(path: string, plan: JudgePlan = {}): Promise<Judged> {
  const parent = plan.parent ?? tempDirectory();
  let files: Record<string, string> | undefined;
  const content: ContentCheck = async (statement, entries, directory, roots) => {
    files = Object.fromEntries(entries.map((entry) => [entry.path, readFileSync(join(directory, entry.path), 'utf8')]));
    return plan.content?.(statement, entries, directory, roots) ?? { ok: true, reason: 'fine' };
  };
  const judged = await (async () => {
    await using staging = createStaging(parent, false);
    return await judgeBundle(path, 'sample', plan.trust ?? lightTrust, staging, content, plan);
  })();
  if (existsSync(parent)) expect(readdirSync(parent)).toEqual([]);
  const { checks, verdict } = judged.report;
  expect(checks.map(({ name }) => name)).toEqual(BUNDLE_CHECKS);
  expect(checks.filter(({ status }) => status === 'fail')).toHaveLength(verdict === 'trusted' ? 0 : 1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
  for (const { reason } of checks) expect(reason).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  return { ...judged, ...(files === undefined ? {} : { files }) };
}
