import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Time } from '../../core/time.ts';
import { readInstall } from '../../install/install-io.ts';
import { ACTIVE_LINK, dataLayout } from '../../install/layout.ts';
import { activeBundlesOf, type StoredBundle } from '../../install/stored-bundle-io.ts';
import { checkRules, type RuleCheckResult } from '../../rules/check-io.ts';
import { RuleError } from '../../rules/errors.ts';
import { isRulePath } from '../../rules/format.ts';
import { parseRule } from '../../rules/parse.ts';
import type { Rule } from '../../rules/rule.ts';
import type { Sandbox } from '../../sandbox/sandbox-io.ts';
import { type LiveRule, liveRule, type RuleSource } from './live-rule.ts';

type RuleFile = { readonly path: string; readonly bytes: Uint8Array; readonly source: RuleSource };

export type ActiveRules = {
  readonly live: readonly LiveRule[];
  /** Rules of the bundle that don't pass their own samples on this host. */
  readonly rejected: readonly (RuleCheckResult & { readonly source: RuleSource })[];
};

/**
 * The rules of every active bundle of kind rules that compile and pass their own samples on this host. Each file is
 * checked from the install log's digest down: a file that was changed since it was applied is never evaluated.
 * @throws InstallError STATE_TAMPERED or NOT_INITIALISED; LedgerError; DurableError
 */
export async function readActiveRules(data: string, builtAt: Time, sandbox: Sandbox): Promise<ActiveRules> {
  const { layout, state } = await readInstall(data, builtAt);
  const files = activeBundlesOf('rules', layout, state).flatMap(readRuleFiles);
  const read = files.map(readRule);
  const parsed = read.flatMap((one) => ('rule' in one ? [one] : []));
  const results = await checkRules(parsed, { sandbox });
  const live: LiveRule[] = [];
  const rejected = read.flatMap((one) => ('rule' in one ? [] : [one]));
  for (const [at, { rule, source }] of parsed.entries()) {
    const result = results[at];
    if (result?.ok === true) live.push(liveRule(rule, source));
    else if (result !== undefined) rejected.push({ ...result, source });
  }
  return { live, rejected };
}

type Rejected = ActiveRules['rejected'][number];

function readRule({ path, bytes, source }: RuleFile): { path: string; rule: Rule; source: RuleSource } | Rejected {
  try {
    return { path, rule: parseRule(bytes, path), source };
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    return { path, ok: false, code: error.code, reason: error.message, tests: 0, source };
  }
}

/** Changes whenever another bundle is made active; only a hint to look, and to be believed for nothing else. */
export function activeHint(data: string): string {
  const { bundles } = dataLayout(data);
  if (!existsSync(bundles)) return '';
  return readdirSync(bundles)
    .sort()
    .map((channel) => `${channel}=${targetOf(join(bundles, channel, ACTIVE_LINK))}`)
    .join('\n');
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}

/** Each file's bytes are those of the digest that was signed. @throws InstallError STATE_TAMPERED; DurableError */
function readRuleFiles({ channel, payload, statement, entries, read }: StoredBundle): RuleFile[] {
  return entries
    .filter(({ path }) => isRulePath(path))
    .map((entry) => ({
      path: entry.path,
      bytes: read(entry),
      source: { channel, seq: statement.seq, payload, path: entry.path },
    }));
}
