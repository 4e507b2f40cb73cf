import { quoteName } from '../core/tables.ts';
import type { Sequence, SequenceStep } from './rule.ts';

/**
 * One SELECT for a sequence: a row for each set of `by` values for which the steps happened in order, the last within
 * `maxspan` of the first, and `until` not in between. Columns: `by`, `first_ts`, `last_ts`.
 *
 * Each step is a common table over one table of the contract; its time is that table's `ts`. A `where` is spliced in
 * as text: what it may do is not decided here but by the sandbox, as for any other SQL of a rule. It stands on lines of
 * its own, so that a comment in it ends with it.
 */
export function sequenceSql({ by, maxSpanMs, steps, until }: Sequence): string {
  const tables = steps.map((step, i) => stepSql(`step${i + 1}`, by, step));
  if (until !== undefined) tables.push(stepSql('until', by, until));
  const last = `step${steps.length}`;
  const joins = steps.slice(1).map((_, i) => joinSql(`step${i + 1}`, `step${i + 2}`, by));
  const key = by.map((column) => `step1.${quoteName(column)}`);
  const unbroken = until === undefined ? '' : ` AND NOT EXISTS (${interruptionSql(by, last)})`;
  return [
    `WITH ${tables.join(', ')}`,
    `SELECT ${key.join(', ')}, min(step1.ts) AS first_ts, max(${last}.ts) AS last_ts`,
    `FROM step1 ${joins.join(' ')}`,
    `WHERE ${last}.ts - step1.ts <= ${maxSpanMs}${unbroken}`,
    `GROUP BY ${key.join(', ')}`,
  ].join('\n');
}

function stepSql(name: string, by: readonly string[], { from, where }: SequenceStep): string {
  const columns = [...by, 'ts'].map(quoteName).join(', ');
  // NULL is no identity: two processes nobody could identify are not the same one.
  const known = by.map((column) => `${quoteName(column)} IS NOT NULL`).join(' AND ');
  return `"${name}" AS (SELECT ${columns} FROM ${quoteName(from)} WHERE ${known} AND (\n${where}\n))`;
}

function joinSql(before: string, after: string, by: readonly string[]): string {
  return `JOIN ${after} ON ${sameKey(before, after, by)} AND ${after}.ts >= ${before}.ts`;
}

function interruptionSql(by: readonly string[], last: string): string {
  const between = `"until".ts >= step1.ts AND "until".ts <= ${last}.ts`;
  return `SELECT 1 FROM "until" WHERE ${sameKey('step1', '"until"', by)} AND ${between}`;
}

function sameKey(a: string, b: string, by: readonly string[]): string {
  return by.map((column) => `${a}.${quoteName(column)} = ${b}.${quoteName(column)}`).join(' AND ');
}
