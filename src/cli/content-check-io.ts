import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { untrusted } from '../bundle/errors.ts';
import {
  type BundleKind,
  blobName,
  INDEX_NAME,
  MAX_DOCUMENT_BYTES,
  PROVENANCE_PATH,
  SBOM_PATH,
} from '../bundle/format.ts';
import { type IndexEntry, parseIndex } from '../bundle/index-lines.ts';
import type { BundleStatement } from '../bundle/statement.ts';
import { settingsOfBundle } from '../config/bundle.ts';
import { ConfigError } from '../config/errors.ts';
import { CONFIG_LIMITS } from '../config/parse.ts';
import { settingsIn } from '../config/settings.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { count } from '../core/wording.ts';
import { findAttestations } from '../install/attested-files-io.ts';
import { verifyTrustFiles } from '../install/kinds/trust.ts';
import { assertSomeUpdate, assertUpdateFiles } from '../install/kinds/update-io.ts';
import type { ReadPin } from '../install/pinned-files-io.ts';
import type { ContentCheck, ContentRoots } from '../install/verify-io.ts';
import type { ContentVerdict } from '../verify/bundle-verification.ts';
import { attestedFiles, checkAttestations } from '../verify/checks/attestations.ts';
import type { ProvenanceFacts } from '../verify/checks/documents.ts';
import { parsePinnedFilePath } from '../verify/release-pins.ts';
import { parseRoot } from '../verify/trust-root.ts';

/** A bundle whose content is text; more than this is something else. */
export const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/** What is judged. `read` is called only after sizes were found to be sane. */
type Content = {
  readonly facts: ProvenanceFacts;
  readonly bytes: number;
  readonly entries: readonly IndexEntry[];
  readonly read: (entry: IndexEntry) => Uint8Array;
  readonly roots: ContentRoots;
  /** Where the files lie unpacked; undefined when they are not, in a bundle that was just built. */
  readonly unpacked?: string;
};

/** One a kind, so that a kind without a check can't be. */
const CHECKS: Readonly<Record<BundleKind, (content: Content) => ContentVerdict | Promise<ContentVerdict>>> = {
  rules: judgeRules,
  config: judgeConfig,
  trust: judgeTrust,
  update: judgeUpdate,
};

/**
 * The content check that `bundle verify` and `bundle apply` inject: rules compile on this machine and their own samples
 * pass; settings are known and may have their values; versions of the trust root lead on from the one pinned here; an
 * update lies unpacked as it was signed. Nothing of a bundle is run but the SQL of its rules, in the sandbox.
 */
export const contentCheck: ContentCheck = (statement, entries, filesDirectory, roots) => {
  const read = ({ path }: IndexEntry) => readBytes(join(filesDirectory, ...path.split('/')));
  return judge({ facts: statement, bytes: statement.bytes, entries, read, roots, unpacked: filesDirectory });
};

/**
 * The same check on a bundle that was just built, and that of its third-party signatures.
 * @param rootChain that it carries, from version 1 @param readPin what its newest version pins
 */
export async function checkBuiltContent(
  directory: string,
  statement: Pick<BundleStatement, 'kind' | 'channel' | 'seq' | 'bytes' | 'index' | 'issuedAt'>,
  rootChain: readonly Uint8Array[],
  readPin: ReadPin,
  signal: AbortSignal,
): Promise<ContentVerdict> {
  const { kind, bytes, index, issuedAt } = statement;
  const entries = parseIndex(readBytes(join(directory, INDEX_NAME)), { lines: index.lines, bytes });
  const read = ({ sha256 }: IndexEntry) => readBytes(join(directory, blobName(sha256)));
  const pathsOf = ({ chunks, sha256 }: IndexEntry) =>
    (chunks ?? [{ sha256 }]).map((blob) => join(directory, blobName(blob.sha256)));
  const carried = rootChain.map((root, i) => ({ version: i + 1, bytes: root }));
  return refusable(async () => {
    const onBytes = () => signal.throwIfAborted();
    const newest = rootChain.at(-1);
    const root = newest === undefined ? undefined : parseRoot(newest);
    checkAttestations(
      kind,
      entries,
      await findAttestations(attestedFiles(entries), entries, pathsOf, { root, readPin }, issuedAt, onBytes),
    );
    return judge({ facts: statement, bytes, entries, read, roots: { carried } });
  });
}

async function judge(content: Content): Promise<ContentVerdict> {
  const { kind } = content.facts;
  if (kind !== 'update' && content.bytes > MAX_TEXT_BYTES) {
    return { ok: false, reason: `${content.bytes} bytes in a bundle of kind ${kind}; at most ${MAX_TEXT_BYTES}` };
  }
  return refusable(() => CHECKS[kind](content));
}

async function refusable(check: () => ContentVerdict | Promise<ContentVerdict>): Promise<ContentVerdict> {
  try {
    return await check();
  } catch (cause) {
    // Trouble of our own (a full disk, no sandbox) is not the bundle's fault, and no verdict about it.
    if (!(cause instanceof ConfigError) && !(cause instanceof DaemonEyeError && cause.fault === 'untrusted'))
      throw cause;
    return { ok: false, reason: cause.message, cause };
  }
}

async function judgeRules({ entries, read }: Content): Promise<ContentVerdict> {
  if (entries.length === 0) return { ok: false, reason: 'there is no rule in it' };
  const stranger = entries.find(({ path }) => !path.endsWith('.yaml'));
  if (stranger !== undefined) {
    return {
      ok: false,
      reason: `${escapeForTerminal(stranger.path)} is not a rule: rules bundles hold only .yaml files`,
    };
  }
  const { checkRuleFiles } = await import('../rules/check-io.ts');
  const { ok, rules } = await checkRuleFiles(entries.map((entry) => ({ path: entry.path, bytes: read(entry) })));
  const failed = rules.find((rule) => !rule.ok);
  if (!ok || failed !== undefined) {
    return { ok: false, reason: `${escapeForTerminal(failed?.path ?? 'the rules')}: ${failed?.reason ?? 'refused'}` };
  }
  const samples = rules.reduce((sum, { tests }) => sum + tests, 0);
  return { ok: true, reason: `${count(rules.length, 'rule')} compiled, ${count(samples, 'sample')} passed` };
}

function judgeConfig({ entries, read }: Content): ContentVerdict {
  // One byte more than the parser takes is enough for it to refuse.
  const files = entries.map((entry) => ({
    path: entry.path,
    bytes: entry.size > CONFIG_LIMITS.maxBytes ? new Uint8Array(CONFIG_LIMITS.maxBytes + 1) : read(entry),
  }));
  const names = settingsIn(settingsOfBundle(files));
  return { ok: true, reason: `${count(names.length, 'setting')}, all known: ${names.join(', ')}` };
}

function judgeTrust({ entries, read, roots }: Content): ContentVerdict {
  const newest = verifyTrustFiles(entries, read, roots.carried, roots.pinned).at(-1);
  const files = new Set(entries.flatMap(({ path }) => parsePinnedFilePath(path) ?? []));
  const pins = [...(newest?.releases ?? [])];
  const absent = pins.filter(([, { sha256 }]) => !files.has(sha256)).map(([name]) => name);
  const versions = count(entries.length - files.size, 'version');
  const pinned = files.size === 0 ? '' : `, with ${count(files.size, 'pinned file')}`;
  const without = absent.length === 0 ? '' : `; pinned, but not in it: ${absent.join(', ')}`;
  return { ok: true, reason: `${versions} of the trust root, linked up to ${newest?.version}${pinned}${without}` };
}

async function judgeUpdate(content: Content): Promise<ContentVerdict> {
  const { entries, unpacked } = content;
  if (unpacked === undefined) assertSomeUpdate(entries);
  else assertUpdateFiles(entries, unpacked);
  const documents = await judgeDocuments(content);
  const told = [`${count(entries.length, 'file')} with their signed modes; nothing of it was run`, ...documents];
  return { ok: true, reason: told.join('; ') };
}

/** What the bundle says about its own files, where it does. */
async function judgeDocuments({ facts, entries, read }: Content): Promise<string[]> {
  const [sbom, provenance] = [SBOM_PATH, PROVENANCE_PATH].map((name) => entries.find(({ path }) => path === name));
  if (sbom === undefined && provenance === undefined) return [];
  const { checkBundleProvenance, checkBundleSbom } = await import('../verify/checks/documents.ts');
  return [
    ...(sbom === undefined ? [] : [checkBundleSbom(entries, read(bounded(sbom)))]),
    ...(provenance === undefined ? [] : [checkBundleProvenance(facts, entries, read(bounded(provenance)))]),
  ];
}

function bounded(entry: IndexEntry): IndexEntry {
  if (entry.size <= MAX_DOCUMENT_BYTES) return entry;
  throw untrusted('INDEX_SIZE', `${entry.path} has ${entry.size} bytes; at most ${MAX_DOCUMENT_BYTES} are read`);
}

function readBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}
