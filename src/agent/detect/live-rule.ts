import type { Digest } from '../../core/digest.ts';
import { VIEWS } from '../../core/tables.ts';
import type { Rule } from '../../rules/rule.ts';
import { CLEAR_WINDOW_MS } from '../format.ts';
import type { Changes } from '../store/fold-io.ts';

const NEW_PROCESSES = 'new_processes';
const NEW_CONNECTIONS = 'new_connections';

/** Where a rule came from. */
export type RuleSource = {
  readonly channel: string;
  readonly seq: number;
  readonly payload: Digest;
  readonly path: string;
};

/**
 * active: evaluated, and sees all it requires. degraded: evaluated, and `missing` says what it can't see; its alerts say
 * so too. quarantined: overran or failed here, and is not evaluated any more. rejected: its own samples did not pass here.
 */
export type RuleState = 'active' | 'degraded' | 'quarantined' | 'rejected';

/** A rule at work. */
export type LiveRule = {
  readonly rule: Rule;
  source: RuleSource;
  state: RuleState;
  missing: readonly string[];
  /** Of a quarantine. */
  reason: string | undefined;
  /** Not evaluated yet on what is there already. */
  isFresh: boolean;
  overruns: number;
  evaluations: number;
  hits: number;
  totalMs: number;
  longestMs: number;
};

export function liveRule(rule: Rule, source: RuleSource): LiveRule {
  const counts = { overruns: 0, evaluations: 0, hits: 0, totalMs: 0, longestMs: 0 };
  return { rule, source, state: 'active', missing: [], reason: undefined, isFresh: true, ...counts };
}

export function isEvaluated({ state }: LiveRule): boolean {
  return state === 'active' || state === 'degraded';
}

/** Whether there is anything new for an incremental rule: one that reads connections alone has no use for processes. */
export function isConcerned({ rule }: LiveRule, { processes, connections }: Changes): boolean {
  const read = rule.requires.tables.map((name) => VIEWS.find((view) => view.name === name)?.of ?? name);
  const news = read.filter((name) => name === NEW_PROCESSES || name === NEW_CONNECTIONS);
  if (news.length === 0) return processes.size + connections.size > 0;
  return news.some((name) => (name === NEW_PROCESSES ? processes : connections).size > 0);
}

/** What the rule can't see here. @param capabilities of the collectors that run; `hasClear`: whether arguments are kept */
export function missingFor(rule: Rule, capabilities: readonly string[], hasClear: boolean): readonly string[] {
  const missing = rule.requires.capability.filter((name) => !capabilities.includes(name));
  if (!hasClear && rule.requires.capability.includes('arguments') && !missing.includes('arguments')) {
    missing.push('arguments');
  }
  if ((rule.sequence?.maxSpanMs ?? 0) > CLEAR_WINDOW_MS) {
    missing.push(`more than ${CLEAR_WINDOW_MS / 60_000} minutes of the past`);
  }
  return missing;
}
