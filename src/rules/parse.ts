import ruleSchema from '../../schemas/rule.schema.json' with { type: 'json' };
import { sha256Digest } from '../core/digest.ts';
import { CoreError, messageOf } from '../core/errors.ts';
import type { Severity } from '../core/event-data.ts';
import { parsePlainYaml } from '../core/plain-yaml.ts';
import { validateSchema } from '../core/schema.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { RuleError } from './errors.ts';
import { DEFAULT_BUDGET_MS, parseDuration, RULE_LIMITS } from './format.ts';
import type { Rule, RuleMode, RuleTest, Sequence, SequenceStep } from './rule.ts';
import { sequenceSql } from './sequence.ts';

/** A rule as it is written. */
type RuleYaml = {
  id: string;
  name: string;
  version: number;
  severity: Severity;
  status: Rule['status'];
  description: string;
  author: string;
  license: string;
  references?: string[];
  attack: { tactic: string; technique: string }[];
  requires: { tables: string[]; capability: string[] };
  mode: RuleMode;
  sql?: string;
  sequence?: { by: string[]; maxspan: string; steps: SequenceStep[]; until?: SequenceStep };
  dedup: { key: string[]; window: string };
  trace?: { depth: number; duration: string; network: boolean; files: boolean };
  budget_ms?: number;
  tests: RuleTest[];
};

/**
 * Parses one rule file. That its SQL compiles and its samples pass is for `checkRules` to find out.
 * @param path names the file in errors
 * @throws RuleError RULE_TOO_LARGE, RULE_YAML, RULE_SCHEMA or RULE_SAMPLES
 */
export function parseRule(bytes: Uint8Array, path: string): Rule {
  try {
    const yaml = shaped(readYaml(bytes));
    assertSamples(yaml.tests);
    return toRule(yaml, bytes);
  } catch (cause) {
    if (!(cause instanceof RuleError)) throw cause;
    throw new RuleError(cause.code, `${escapeForTerminal(path)}: ${cause.message}`, { cause });
  }
}

function readYaml(bytes: Uint8Array): unknown {
  try {
    return parsePlainYaml(bytes, RULE_LIMITS);
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    const code = cause.code === 'YAML_TOO_LARGE' ? 'RULE_TOO_LARGE' : 'RULE_YAML';
    throw new RuleError(code, `not a rule: ${cause.message}`, { cause });
  }
}

function shaped(value: unknown): RuleYaml {
  try {
    return validateSchema<RuleYaml>(ruleSchema, value);
  } catch (cause) {
    throw new RuleError('RULE_SCHEMA', `not a rule: ${escapeForTerminal(messageOf(cause))}`, { cause });
  }
}

/** A rule that was never seen to hit, or never seen to stay silent, has not been tested. */
function assertSamples(tests: readonly RuleTest[]): void {
  if (!tests.some(({ expect }) => expect.length > 0))
    throw new RuleError('RULE_SAMPLES', 'no test of it expects a hit');
  if (!tests.some(({ expect }) => expect.length === 0)) {
    throw new RuleError('RULE_SAMPLES', 'no test of it expects silence');
  }
  const names = new Set(tests.map(({ name }) => name));
  if (names.size !== tests.length) throw new RuleError('RULE_SAMPLES', 'two of its tests have the same name');
}

function toRule(yaml: RuleYaml, bytes: Uint8Array): Rule {
  const { mode, sql, sequence: written, dedup, trace, budget_ms: budgetMs, references, ...same } = yaml;
  const sequence = written === undefined ? undefined : toSequence(written);
  return {
    ...same,
    mode,
    ...questionOf(mode, sql, sequence),
    references: references ?? [],
    dedup: { key: dedup.key, windowMs: parseDuration(dedup.window) },
    ...(trace === undefined ? {} : { trace: toTrace(trace) }),
    budgetMs: budgetMs ?? DEFAULT_BUDGET_MS,
    digest: sha256Digest(bytes),
  };
}

function questionOf(
  mode: RuleMode,
  sql: string | undefined,
  sequence: Sequence | undefined,
): Pick<Rule, 'sql' | 'sequence'> {
  if (mode === 'sequence') {
    if (sequence === undefined || sql !== undefined) {
      throw new RuleError('RULE_SCHEMA', 'not a rule: mode sequence needs `sequence`, and no `sql`');
    }
    return { sequence, sql: sequenceSql(sequence) };
  }
  if (sql === undefined || sequence !== undefined) {
    throw new RuleError('RULE_SCHEMA', `not a rule: mode ${mode} needs \`sql\`, and no \`sequence\``);
  }
  return { sql };
}

function toSequence({ by, maxspan, steps, until }: NonNullable<RuleYaml['sequence']>): Sequence {
  return { by, maxSpanMs: parseDuration(maxspan), steps, ...(until === undefined ? {} : { until }) };
}

function toTrace({ depth, duration, network, files }: NonNullable<RuleYaml['trace']>): NonNullable<Rule['trace']> {
  return { depth, durationMs: parseDuration(duration), network, files };
}
