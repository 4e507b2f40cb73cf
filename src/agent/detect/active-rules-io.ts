import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Time } from '../../core/time.ts';
import { readInstall } from '../../install/install-io.ts';
import { ACTIVE_LINK, dataLayout } from '../../install/layout.ts';
import { loadPinnedRoot } from '../../install/root-store-io.ts';
import { type RevokedBundle, revokedAt, revokedBundles } from '../../install/standing.ts';
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

export type ActiveRuleBundles = {
  /** Active bundles that the newest trust root has taken back: none of their rules may be live. */
  readonly revoked: readonly RevokedBundle[];
  /** The same of any bundle that rules came from. */
  readonly isRevoked: (source: RuleSource) => boolean;
  /**
   * Reads, compiles and tries the rules of the others.
   * @throws InstallError STATE_TAMPERED; SandboxError; DurableError
   */
  readonly read: (sandbox: Sandbox) => Promise<ActiveRules>;
};

/**
 * The active bundles of kind rules, and which of them the trust root that is pinned now has revoked. Each file is
 * checked from the install log's digest down: one that was changed since it was applied is never evaluated.
 * @throws InstallError STATE_TAMPERED or NOT_INITIALISED; LedgerError; DurableError
 */
export async function readActiveBundles(data: string, builtAt: Time): Promise<ActiveRuleBundles> {
  const { layout, state } = await readInstall(data, builtAt);
  // Before a root is pinned nothing can be active.
  const root = state.root === undefined ? undefined : loadPinnedRoot(layout, state);
  if (root === undefined) {
    return { revoked: [], isRevoked: () => false, read: async () => ({ live: [], rejected: [] }) };
  }
  return {
    revoked: revokedBundles(root, state).filter(({ channel }) => channel.startsWith('rules/')),
    isRevoked: (source) => revokedAt(root, state, source.channel, source) !== undefined,
    read: async (sandbox) => tried(activeBundlesOf('rules', layout, state, root).believed, sandbox),
  };
}

/** Those that compile and pass their own samples on this host. */
async function tried(bundles: readonly StoredBundle[], sandbox: Sandbox): Promise<ActiveRules> {
  const read = bundles.flatMap(readRuleFiles).map(readRule);
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

/**
 * Changes whenever another bundle is made active, or a newer trust root is pinned, which may take back what is: each is
 * an entry of the install log, whose newest checkpoint is written last. Only a hint to look, believed for nothing else.
 */
export function activeHint(data: string): string {
  const { bundles, anchor } = dataLayout(data);
  const channels = existsSync(bundles) ? readdirSync(bundles).sort() : [];
  const links = channels.map((channel) => `${channel}=${targetOf(join(bundles, channel, ACTIVE_LINK))}`);
  return [...links, textOf(anchor)].join('\n');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // That it is gone is for who reads the log to say.
    return '';
  }
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
