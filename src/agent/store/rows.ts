import type { EventType } from '../../core/event-data.ts';
import type { JsonObject } from '../../core/strict-json.ts';
import { type Column, type ColumnType, columnsIn, findTable, type Table } from '../../core/tables.ts';
import type { Line } from '../../ledger/line.ts';

/**
 * Rows of the table contract from lines of logs. Pure. Whatever a line says, a row is of the contract's types: what
 * doesn't fit reads as NULL, and a row without what it must have is none.
 */

/** A line, and where it stands. */
export type StoredLine = {
  readonly host: string;
  readonly origin: string;
  readonly line: Line;
  /** The arguments of a process.*, for the store that may have them. */
  readonly command?: string | undefined;
};

export type Value = string | number | null;
export type Row = { readonly [column: string]: Value };

/** @throws Error for a table that is not in the contract: a mistake of ours */
export function contractTable(name: string): Table {
  const table = findTable(name);
  if (table === undefined) throw new Error(`the table contract has no table ${name}`);
  return table;
}

export function columnNames(table: Table): readonly string[] {
  return columnsIn(table, 'agent').map(({ name }) => name);
}

/**
 * The row of a table that a line tells of.
 * @param known columns whose value is not simply a field of the line
 * @returns undefined if it lacks what a row must have
 */
export function rowOf(table: Table, stored: StoredLine, known: Row = {}): Row | undefined {
  const row: { [column: string]: Value } = {};
  for (const column of columnsIn(table, 'agent')) {
    const { name, nullable } = column;
    const value = Object.hasOwn(known, name) ? (known[name] ?? null) : columnValue(column, stored);
    if (value === null && !nullable) return undefined;
    row[name] = value;
  }
  return row;
}

function columnValue(column: Column, { host, origin, line }: StoredLine): Value {
  switch (column.name) {
    case 'ts':
      return line.ts;
    case 'host_id':
      return host;
    case 'host_boot_id':
      return line.boot;
    case 'log_origin':
      return origin;
    case 'event_sequence':
      return line.seq;
    case 'event_action':
      return actionOf(line.type);
    default:
      return 'events' in column.from ? asType(line.data[column.from.field], column.type) : null;
  }
}

/** The part of the event's type after the dot. */
export function actionOf(type: string): string {
  return type.slice(type.indexOf('.') + 1);
}

/** A text field of a line's data. */
export function textOf(data: JsonObject, field: string): string | null {
  const value = asType(data[field], 'text');
  return typeof value === 'string' ? value : null;
}

export function integerOf(data: JsonObject, field: string): number | null {
  const value = asType(data[field], 'integer');
  return typeof value === 'number' ? value : null;
}

export function asType(value: unknown, type: ColumnType): Value {
  if (type === 'text') return typeof value === 'string' ? value : null;
  if (type === 'integer') return Number.isSafeInteger(value) ? (value as number) : null;
  return typeof value === 'boolean' ? Number(value) : null;
}

export function isType(line: Line, ...types: readonly EventType[]): boolean {
  return (types as readonly string[]).includes(line.type);
}
