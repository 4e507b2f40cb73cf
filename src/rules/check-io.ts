import { messageOf } from '../core/errors.ts';
import { findTable } from '../core/tables.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { SandboxError } from '../sandbox/errors.ts';
import type { Answer, GivenTables } from '../sandbox/protocol.ts';
import { createSandbox, type Sandbox } from '../sandbox/sandbox-io.ts';
import { RuleError, type RuleErrorCode } from './errors.ts';
import { isRulePath } from './format.ts';
import { parseRule } from './parse.ts';
import { wrongRequirements } from './requirements.ts';
import type { Rule, RuleTest } from './rule.ts';
import { type AnswerRow, matchesExpected, sampleTables } from './samples.ts';

export type RuleProblem =
  | RuleErrorCode
  /** Two rules with one id: alerts, exceptions and history of one would be the other's. */
  | 'RULE_DUPLICATE_ID'
  /** The sandbox refused its SQL, or it failed or overran. */
  | 'RULE_SQL'
  /** What it says it requires is not what it reads. */
  | 'RULE_REQUIRES'
  /** Its answer lacks a column that `dedup` or `trace` needs. */
  | 'RULE_COLUMNS'
  /** A sample of its own gave another answer. */
  | 'RULE_TEST';

export type RuleCheckResult = {
  readonly path: string;
  readonly id?: string;
  readonly ok: boolean;
  readonly code?: RuleProblem;
  /** One sentence for people. */
  readonly reason: string;
  /** Samples that passed. */
  readonly tests: number;
};

export type RuleFile = { readonly path: string; readonly bytes: Uint8Array };
export type RuleFilesCheck = {
  readonly ok: boolean;
  /** One sentence for people. */
  readonly reason: string;
  readonly rules: readonly RuleCheckResult[];
};

export type CheckRulesOptions = {
  /** Default: one of its own, closed afterwards. */
  readonly sandbox?: Sandbox;
  /** For one sample, ms. Not the rule's budget, which is about a full store on a quiet machine; default 5000. */
  readonly deadlineMs?: number;
};

const SAMPLE_DEADLINE_MS = 5000;

/**
 * Compiles every rule in the sandbox and runs its own samples there. Touches nothing but the sandbox; never throws for
 * what a rule does.
 * @returns one result a rule, in the order given
 */
export async function checkRules(
  rules: readonly { readonly path: string; readonly rule: Rule }[],
  options: CheckRulesOptions = {},
): Promise<RuleCheckResult[]> {
  const own = options.sandbox === undefined ? createSandbox() : undefined;
  try {
    const sandbox = options.sandbox ?? own ?? createSandbox();
    const results: RuleCheckResult[] = [];
    const paths = new Map<string, string>();
    for (const { path, rule } of rules) {
      const other = paths.get(rule.id);
      paths.set(rule.id, other ?? path);
      const problem: Outcome =
        other === undefined
          ? await checkRule(rule, sandbox, options.deadlineMs ?? SAMPLE_DEADLINE_MS)
          : { code: 'RULE_DUPLICATE_ID', reason: `${escapeForTerminal(other)} has the id ${rule.id} too`, tests: 0 };
      results.push({ path, id: rule.id, ok: problem.code === undefined, ...problem });
    }
    return results;
  } finally {
    await own?.close();
  }
}

/**
 * Checks the rule files of a bundle or a folder: every YAML file must be a rule that passes, and there must be one.
 * This is the `content` check of bundles of kind rules.
 */
export async function checkRuleFiles(
  files: readonly RuleFile[],
  options: CheckRulesOptions = {},
): Promise<RuleFilesCheck> {
  const read = files.filter(({ path }) => isRulePath(path)).map(readRule);
  const parsed = read.filter((file) => 'rule' in file);
  const checked = new Map((await checkRules(parsed, options)).map((result) => [result.path, result]));
  const rules = read
    .map((file) => ('rule' in file ? checked.get(file.path) : file))
    .filter((result) => result !== undefined);
  const [bad, ...more] = rules.filter(({ ok }) => !ok);
  if (rules.length === 0) return { ok: false, reason: 'there is no rule in it: no file ends in .yaml or .yml', rules };
  if (bad === undefined) {
    const tests = rules.reduce((sum, result) => sum + result.tests, 0);
    return { ok: true, reason: `${rules.length} rules compile and their ${tests} samples pass`, rules };
  }
  const others = more.length === 0 ? '' : `; ${more.length} more are wrong too`;
  return { ok: false, reason: `${escapeForTerminal(bad.path)}: ${bad.reason}${others}`, rules };
}

function readRule({ path, bytes }: RuleFile): { readonly path: string; readonly rule: Rule } | RuleCheckResult {
  try {
    return { path, rule: parseRule(bytes, path) };
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    const reason = error.cause instanceof RuleError ? error.cause.message : error.message;
    return { path, ok: false, code: error.code, reason, tests: 0 };
  }
}

type Outcome = { readonly code?: RuleProblem; readonly reason: string; readonly tests: number };

async function checkRule(rule: Rule, sandbox: Sandbox, deadlineMs: number): Promise<Outcome> {
  let passed = 0;
  const wrong = (code: RuleProblem, reason: string): Outcome => ({ code, reason, tests: passed });
  const ask = (given: GivenTables): Promise<Answer> => sandbox.ask({ sql: rule.sql, given }, { deadlineMs });
  try {
    const onNothing = await ask({});
    const requirement = wrongRequirements(rule, onNothing.reads);
    if (requirement !== undefined) return wrong('RULE_REQUIRES', requirement);
    const column = wrongColumns(rule, onNothing);
    if (column !== undefined) return wrong('RULE_COLUMNS', column);
    if (onNothing.rows.length > 0) return wrong('RULE_TEST', 'it hits when there is nothing in any table');
    for (const test of rule.tests) {
      const failure = judge(test, await ask(sampleTables(test.given)));
      if (failure !== undefined) return wrong('RULE_TEST', failure);
      passed += 1;
    }
    return { reason: `it compiles and its ${passed} samples pass`, tests: passed };
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    if (error.code === 'GIVEN_REFUSED') return wrong('RULE_TEST', `a sample can't be: ${error.message}`);
    return wrong('RULE_SQL', messageOf(error));
  }
}

function wrongColumns({ dedup, trace }: Rule, { columns, origins }: Answer): string | undefined {
  if (new Set(columns).size !== columns.length) return 'two columns of its answer have the same name';
  const key = dedup.key.find((name) => !columns.includes(name));
  if (key !== undefined) return `its answer has no column ${key}, which \`dedup.key\` names`;
  // Alerts leave the host with masks only. This catches the honest mistake; an agent reads the masks by entity anyway.
  const clear = origins.findIndex((origin) => origin !== null && isClear(origin.table, origin.column));
  if (clear !== -1) return `its answer shows arguments in clear, in column ${columns[clear]}; argv_mask is for showing`;
  if (trace !== undefined && !columns.includes('entity')) return 'its answer has no column entity, which `trace` needs';
  return undefined;
}

function isClear(table: string, column: string): boolean {
  return findTable(table)?.columns.find(({ name }) => name === column)?.clear !== undefined;
}

function judge({ name, expect }: RuleTest, { columns, rows }: Answer): string | undefined {
  const answer = rows.map((row): AnswerRow => Object.fromEntries(columns.map((column, i) => [column, row[i] ?? null])));
  if (matchesExpected(answer, expect)) return undefined;
  const got = rows.length === expect.length ? 'other rows' : `${rows.length} rows, not ${expect.length}`;
  return `its sample ${JSON.stringify(name)} gives ${got}`;
}
