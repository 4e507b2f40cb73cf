import { utf8 } from '../core/bytes.ts';
import { sha256Digest } from '../core/digest.ts';
import { messageOf } from '../core/errors.ts';
import { diffFields, type FieldChange, type Fields } from '../core/field-diff.ts';
import { diffLines, type LineChange } from '../core/line-diff.ts';
import { RuleError } from './errors.ts';
import { isRulePath } from './format.ts';
import { parseRule } from './parse.ts';
import type { Rule } from './rule.ts';

export type RuleSource = { readonly path: string; readonly bytes: Uint8Array };

/** A rule in a line. `attack` as `T1003.008 credential-access`. */
export type RuleSummary = Pick<Rule, 'id' | 'name' | 'version' | 'severity' | 'status'> & {
  readonly path: string;
  readonly attack: readonly string[];
};

export type RuleChange = {
  readonly before: RuleSummary;
  readonly after: RuleSummary;
  /** All that differs but its SQL, in the order of a rule file. */
  readonly fields: readonly FieldChange[];
  /** Empty when its SQL is the same. */
  readonly sql: readonly LineChange[];
  /** What can change a hit changed, and its version did not: alerts of both look as if from one rule. */
  readonly versionKept: boolean;
};

/** By rule id, each list in its order. */
export type RulesDiff = {
  readonly added: readonly RuleSummary[];
  readonly removed: readonly RuleSummary[];
  readonly changed: readonly RuleChange[];
  readonly unchanged: number;
  /** Files that are no rules, on either side. */
  readonly unreadable: readonly { readonly side: 'before' | 'after'; readonly path: string; readonly reason: string }[];
};

type ReadRule = { readonly path: string; readonly rule: Rule };

/** Compares the rules of two bundles by their ids, wherever their files lie. Compiles and runs nothing. */
export function diffRules(before: readonly RuleSource[], after: readonly RuleSource[]): RulesDiff {
  const [old, now] = [readRules(before, 'before'), readRules(after, 'after')];
  const pairs = [...now.rules].flatMap(([id, rule]) => {
    const known = old.rules.get(id);
    return known === undefined ? [] : [{ known, rule }];
  });
  const changed = pairs.filter(({ known, rule }) => known.rule.digest !== rule.rule.digest || known.path !== rule.path);
  return {
    added: [...now.rules.values()].filter(({ rule }) => !old.rules.has(rule.id)).map(summaryOf),
    removed: [...old.rules.values()].filter(({ rule }) => !now.rules.has(rule.id)).map(summaryOf),
    changed: changed.map(({ known, rule }) => changeOf(known, rule)),
    unchanged: pairs.length - changed.length,
    unreadable: [...old.unreadable, ...now.unreadable],
  };
}

function readRules(files: readonly RuleSource[], side: 'before' | 'after') {
  const rules = new Map<string, ReadRule>();
  const unreadable: RulesDiff['unreadable'][number][] = [];
  for (const { path, bytes } of files) {
    if (!isRulePath(path)) continue;
    try {
      const rule = parseRule(bytes, path);
      const other = rules.get(rule.id);
      // Never one in the shadow of another.
      if (other !== undefined) throw new RuleError('RULE_SCHEMA', `${other.path} has the id ${rule.id} too`);
      rules.set(rule.id, { path, rule });
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      unreadable.push({ side, path, reason: messageOf(error.cause ?? error) });
    }
  }
  const sorted = [...rules].sort(([a], [b]) => (a < b ? -1 : 1));
  return { rules: new Map(sorted), unreadable };
}

function summaryOf({ path, rule }: ReadRule): RuleSummary {
  const { id, name, version, severity, status } = rule;
  return { id, name, version, severity, status, path, attack: attackOf(rule) };
}

function attackOf({ attack }: Rule): readonly string[] {
  return attack.map(({ technique, tactic }) => `${technique} ${tactic}`);
}

/** What can change a hit: these, its question and its sequence. */
const DECIDING = ['mode', 'dedup', 'requires.tables', 'requires.capability'];

function changeOf(before: ReadRule, after: ReadRule): RuleChange {
  const [old, now] = [fieldsOf(before), fieldsOf(after)];
  const fields = diffFields(old, now);
  const sql = diffLines(before.rule.sql, after.rule.sql);
  const decides = sql.length > 0 || fields.some(({ field }) => DECIDING.includes(field));
  return {
    before: summaryOf(before),
    after: summaryOf(after),
    fields,
    sql,
    versionKept: decides && before.rule.version === after.rule.version,
  };
}

function fieldsOf({ path, rule }: ReadRule): Fields {
  const { dedup, trace } = rule;
  return {
    path,
    name: rule.name,
    version: rule.version,
    severity: rule.severity,
    status: rule.status,
    attack: attackOf(rule),
    'requires.tables': rule.requires.tables,
    'requires.capability': rule.requires.capability,
    mode: rule.mode,
    dedup: `${dedup.key.join(', ')} within ${dedup.windowMs} ms`,
    trace:
      trace === undefined
        ? null
        : `depth ${trace.depth}, ${trace.durationMs} ms${trace.network ? ', network' : ''}${trace.files ? ', files' : ''}`,
    budget_ms: rule.budgetMs,
    description: rule.description.trim(),
    author: rule.author,
    license: rule.license,
    references: rule.references,
    samples: rule.tests.map((test) => `${test.name} (${test.expect.length} hits, ${sampleMark(test)})`),
  };
}

/** Tells two samples of one name apart; people see that it differs, the file tells how. */
function sampleMark(test: Rule['tests'][number]): string {
  return sha256Digest(utf8(JSON.stringify(test))).slice('sha256:'.length, 'sha256:'.length + 8);
}
