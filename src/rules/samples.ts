import { findTable } from '../core/tables.ts';
import type { GivenRow, GivenTables } from '../sandbox/protocol.ts';
import type { RuleTest, SampleRow, SampleValue } from './rule.ts';

const HOST = 'sample-host';
const BOOT = 'sample-boot';

/** What a sample need not say, though a row must have it. */
const MADE_UP: { readonly [column: string]: (row: number) => SampleValue } = {
  host_id: () => HOST,
  host_boot_id: () => BOOT,
  ts: () => 0,
  process_pid: (row) => row + 1,
  entity: (row) => `${HOST}:${BOOT}:${row + 1}:${row + 1}`,
  connection_id: (row) => `sample-${row}`,
  connection_state: () => 'open',
  network_transport: () => 'tcp',
  network_type: () => 'ipv4',
};

/**
 * The tables of one test: identities made up where a row must have one, and the rows of `new_processes` and
 * `new_connections` put into `processes` and `connections` too, as they are in an agent.
 */
export function sampleTables(given: RuleTest['given']): GivenTables {
  const tables = new Map<string, GivenRow[]>();
  let count = 0;
  for (const [name, rows] of Object.entries(given)) {
    const whole = findTable(name)?.like;
    for (const row of rows) {
      const complete = completeRow(name, row, count);
      count += 1;
      for (const table of whole === undefined ? [name] : [name, whole]) {
        tables.set(table, [...(tables.get(table) ?? []), complete]);
      }
    }
  }
  return Object.fromEntries(tables);
}

function completeRow(name: string, row: SampleRow, index: number): GivenRow {
  const missing = (findTable(name)?.columns ?? []).filter(
    (column) => !column.nullable && !Object.hasOwn(row, column.name),
  );
  const made = missing.flatMap(({ name: column }) => {
    const make = MADE_UP[column];
    return make === undefined ? [] : [[column, make(index)] as const];
  });
  return { ...Object.fromEntries(made), ...row };
}

/** A row of an answer, by column. */
export type AnswerRow = { readonly [column: string]: SampleValue };

/**
 * Whether the answer is exactly what was expected: as many rows, and a pairing in which each expected row finds its
 * columns in another row of the answer. Rows of SQL have no order, so pairs are searched for, not taken in turn
 * (augmenting paths: an early pair is undone when a later row needs it).
 */
export function matchesExpected(rows: readonly AnswerRow[], expected: readonly SampleRow[]): boolean {
  if (rows.length !== expected.length) return false;
  const takenBy = new Map<number, number>();
  const place = (want: number, tried: Set<number>): boolean =>
    rows.some((row, at) => {
      if (tried.has(at) || !fits(row, expected[want] ?? {})) return false;
      tried.add(at);
      const holder = takenBy.get(at);
      if (holder !== undefined && !place(holder, tried)) return false;
      takenBy.set(at, want);
      return true;
    });
  return expected.every((_, want) => place(want, new Set()));
}

function fits(row: AnswerRow, expected: SampleRow): boolean {
  return Object.entries(expected).every(
    ([column, value]) =>
      Object.hasOwn(row, column) && row[column] === (typeof value === 'boolean' ? Number(value) : value),
  );
}
