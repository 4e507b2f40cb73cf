import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BundleKind, blobName, INDEX_NAME } from '../bundle/format.ts';
import { type IndexEntry, parseIndex } from '../bundle/index-lines.ts';
import type { BundleStatement } from '../bundle/statement.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { count } from '../core/wording.ts';
import type { ContentCheck } from '../install/verify-io.ts';
import type { ContentVerdict } from '../verify/bundle-verification.ts';

/** A bundle of rules is text; more than this is something else. */
const MAX_RULES_BYTES = 64 * 1024 * 1024;

/**
 * The content check that `bundle verify` and `bundle apply` inject: rules compile on this machine, and their own
 * samples pass.
 */
export const contentCheck: ContentCheck = (statement, entries, filesDirectory) =>
  judge(statement, entries, ({ path }) => readFileSync(join(filesDirectory, ...path.split('/'))));

/** The same check on a bundle that was just built. */
export function checkBuiltContent(
  directory: string,
  statement: Pick<BundleStatement, 'kind' | 'bytes' | 'index'>,
): Promise<ContentVerdict> {
  const lines = new Uint8Array(readFileSync(join(directory, INDEX_NAME)));
  const entries = parseIndex(lines, { lines: statement.index.lines, bytes: statement.bytes });
  return judge(statement, entries, ({ sha256 }) => readFileSync(join(directory, blobName(sha256))));
}

async function judge(
  statement: { readonly kind: BundleKind; readonly bytes: number },
  entries: readonly IndexEntry[],
  read: (entry: IndexEntry) => Uint8Array,
): Promise<ContentVerdict> {
  if (statement.kind !== 'rules') {
    return { ok: false, reason: `this version can't check bundles of kind ${statement.kind}, so it refuses them` };
  }
  if (statement.bytes > MAX_RULES_BYTES) {
    return { ok: false, reason: `${statement.bytes} bytes of rules; at most ${MAX_RULES_BYTES}` };
  }
  if (entries.length === 0) return { ok: false, reason: 'there is no rule in it' };
  const stranger = entries.find(({ path }) => !path.endsWith('.yaml'));
  if (stranger !== undefined) {
    return {
      ok: false,
      reason: `${escapeForTerminal(stranger.path)} is not a rule: rules bundles hold only .yaml files`,
    };
  }
  const { checkRuleFiles } = await import('../rules/check-io.ts');
  const files = entries.map((entry) => ({ path: entry.path, bytes: new Uint8Array(read(entry)) }));
  const { ok, rules } = await checkRuleFiles(files);
  const failed = rules.find((rule) => !rule.ok);
  if (!ok || failed !== undefined) {
    return { ok: false, reason: `${escapeForTerminal(failed?.path ?? 'the rules')}: ${failed?.reason ?? 'refused'}` };
  }
  const samples = rules.reduce((sum, { tests }) => sum + tests, 0);
  return { ok: true, reason: `${count(rules.length, 'rule')} compiled, ${count(samples, 'sample')} passed` };
}
