import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHex } from '../../core/bytes.ts';
import { sha256 } from '../../core/digest.ts';
import { parseEnvelope, payloadDigest } from '../../core/dsse.ts';
import { messageOf } from '../../core/errors.ts';
import { isJsonObject, parseStrictJsonObject } from '../../core/strict-json.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Time } from '../../core/time.ts';
import { readActiveIndex } from '../../install/activation-io.ts';
import { InstallError, tampered } from '../../install/errors.ts';
import { readInstall } from '../../install/install-io.ts';
import { ACTIVE_LINK, channelDirectory, type DataLayout, dataLayout, FILES_DIRECTORY } from '../../install/layout.ts';
import type { ChannelState } from '../../install/state.ts';
import { checkRules, type RuleCheckResult } from '../../rules/check-io.ts';
import { RuleError } from '../../rules/errors.ts';
import { isRulePath } from '../../rules/format.ts';
import { parseRule } from '../../rules/parse.ts';
import type { Rule } from '../../rules/rule.ts';
import type { Sandbox } from '../../sandbox/sandbox-io.ts';
import { type LiveRule, liveRule, type RuleSource } from './live-rule.ts';

const ENVELOPE_NAME = 'bundle.dsse.json';
const STATEMENT_TYPE = 'application/vnd.in-toto+json';

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
  const files = [...state.channels].flatMap(([channel, held]) => readRuleFiles(layout, channel, held));
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

function readRuleFiles(layout: DataLayout, channel: string, held: ChannelState): RuleFile[] {
  const { seq, payload } = held.active;
  const directory = join(channelDirectory(layout, channel), String(seq));
  const entries = readActiveIndex(layout, channel, held);
  if (readKind(directory, held) !== 'rules') return [];
  return entries
    .filter(({ path }) => isRulePath(path))
    .map(({ path, sha256: digest }) => {
      const bytes = readPlain(join(directory, FILES_DIRECTORY, ...path.split('/')));
      if (encodeHex(sha256(bytes)) !== digest) {
        throw tampered(
          `${escapeForTerminal(path)} of the active bundle ${channel} seq ${seq} was changed since it was applied`,
        );
      }
      return { path, bytes, source: { channel, seq, payload, path } };
    });
}

/** The kind that the statement says, once its payload is the one the log names. */
function readKind(directory: string, { active }: ChannelState): unknown {
  const envelope = parseEnvelope(readPlain(join(directory, ENVELOPE_NAME)), STATEMENT_TYPE);
  if (payloadDigest(envelope) !== active.payload) {
    throw tampered(`the statement in ${escapeForTerminal(directory)} is not the one the log names`);
  }
  const { predicate } = parseStrictJsonObject(envelope.payload);
  return isJsonObject(predicate) ? predicate['kind'] : undefined;
}

function readPlain(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    const message = `${escapeForTerminal(path)} of an active bundle can't be read: ${messageOf(cause)}`;
    throw new InstallError('STATE_TAMPERED', message, { cause, fault: 'tampered' });
  }
}
