import { type Column, columnsIn, findTable, quoteName, type Table, tablesIn } from '../../core/tables.ts';

/**
 * How a column of the table contract is read from the table `staged` (see stage-sql.ts): pure, SQL text out. What the
 * contract says of a column decides; a column that is added there is loaded without a change here.
 */

/** Where a column's value comes from in a SELECT over `staged`. */
export type Expressions = { readonly [column: string]: string };

export const FRAME: Expressions = {
  ts: 's.ts',
  host_id: 's.host',
  host_boot_id: 's.boot',
  log_origin: 's.origin',
  event_sequence: 's.seq',
  package: 's.package',
};
/** The part of the event's type after the dot. */
export const ACTION = "split_part(s.type, '.', 2)";

export function frameList(): string {
  return Object.entries(FRAME)
    .map(([name, expression]) => `${expression} AS ${name}`)
    .join(', ');
}

/** The lines of these types, as `s`, with what is in their `data` as `d`. */
export function linesOf(types: readonly string[]): string {
  return `(SELECT * FROM staged WHERE type IN (${types.map(quoteText).join(', ')})) s`;
}

/** What the tables of a case are made of beyond the fields that the contract names. */
const MORE_FIELDS: Readonly<Record<string, unknown>> = {
  capture: { cmdlines: 'BOOLEAN', network: 'BOOLEAN', files: 'BOOLEAN' },
  socket_cookie: 'VARCHAR',
  origin: 'VARCHAR',
  size: 'BIGINT',
};

/** Every field of `data` that any table of a case needs, with its type, for json_transform: each line is parsed once. */
export function dataStructure(): { readonly [field: string]: unknown } {
  const fields = new Map<string, string>();
  for (const table of tablesIn('case')) {
    for (const { name, from, type } of columnsIn(table, 'case')) {
      if (!('events' in from) || Object.hasOwn(MORE_FIELDS, from.field)) continue;
      const known = fields.get(from.field) ?? JSON_TYPES[type];
      if (known !== JSON_TYPES[type]) throw new Error(`${table.name}.${name} reads ${from.field} as another type`);
      fields.set(from.field, known);
    }
  }
  return { ...Object.fromEntries(fields), ...MORE_FIELDS };
}

const JSON_TYPES: Readonly<Record<Column['type'], string>> = {
  text: 'VARCHAR',
  integer: 'BIGINT',
  boolean: 'BOOLEAN',
};

/** Every column of the table in a case: as said, else from the frame, else the field of the event. */
export function selectList(table: Table, expressions: Expressions): string {
  return columnsIn(table, 'case')
    .map(({ name, from }) => {
      const field = 'events' in from ? `d.${quoteName(from.field)}` : undefined;
      const expression = expressions[name] ?? FRAME[name] ?? field;
      if (expression === undefined) throw new Error(`nothing says where ${table.name}.${name} comes from`);
      return `${expression} AS ${quoteName(name)}`;
    })
    .join(', ');
}

export function typesOf(table: Table): readonly string[] {
  const types = columnsIn(table, 'case').flatMap(({ from }) => ('events' in from ? from.events : []));
  return [...new Set(types)];
}

/** Columns that a row must have: a line that doesn't is no row of the table. */
export function required(table: Table): string {
  return columnsIn(table, 'case')
    .filter(({ nullable }) => !nullable)
    .map(({ name }) => `${quoteName(name)} IS NOT NULL`)
    .join(' AND ');
}

export function tableOf(name: string): Table {
  const table = findTable(name);
  if (table === undefined) throw new Error(`the contract has no table ${name}`);
  return table;
}

export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
