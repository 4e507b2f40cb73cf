import contract from '../../schemas/tables.json' with { type: 'json' };

/**
 * The table contract, schemas/tables.json: the tables that rules see in the agent and questions see in a case, with
 * the same names and meaning, so that a rule can be tried on a case and a hypothesis can become a rule.
 *
 * This file has no dependency but the contract: the sandbox child loads it.
 */

/** agent: the event store that rules read. case: the database made of evidence packages. */
export type Place = 'agent' | 'case';
export type Dialect = 'sqlite' | 'duckdb';
export type ColumnType = 'text' | 'integer' | 'boolean';

/** Where a column's value comes from. */
export type ColumnOrigin =
  | { readonly events: readonly string[]; readonly field: string }
  | { readonly frame: string }
  | { readonly join: string; readonly table: string; readonly column: string }
  | { readonly derived: string };

export type Column = {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly description: string;
  readonly from: ColumnOrigin;
  readonly ecs?: string;
  readonly sigma?: string;
  /** Without it the column is NULL. */
  readonly capability?: string;
  /** A secret: only the detector sees it in clear, everything else the mask. */
  readonly clear?: { readonly only: 'detector'; readonly elsewhere: 'mask' };
  readonly in: readonly Place[];
};

export type Table = {
  readonly name: string;
  readonly description: string;
  readonly in: readonly Place[];
  /** Columns that identify a row; empty for tables of things that happened. */
  readonly key: readonly string[];
  /** Without it the table stays empty. */
  readonly capability?: string;
  readonly columns: readonly Column[];
  /** The table whose rows these are some of (`new_processes` of `processes`). */
  readonly like?: string;
};

type ViewColumn = {
  readonly name: string;
  readonly column: string;
  readonly values?: { readonly [value: string]: string };
};
type Condition = { readonly column: string; readonly value: string };

export type View = {
  readonly name: string;
  readonly of: string;
  readonly description: string;
  readonly in: readonly Place[];
  readonly columns: readonly ViewColumn[];
  readonly unless?: Condition;
  readonly only?: Condition;
};

type LikeTable = Pick<Table, 'name' | 'description' | 'in'> & { readonly like: string };

const written = contract.tables as unknown as readonly (Table | LikeTable)[];

export const TABLES: readonly Table[] = written.map((table) => {
  if ('columns' in table) return table;
  const model = written.find(({ name }) => name === table.like) as Table;
  return { ...model, ...table };
});

export const VIEWS: readonly View[] = contract.views as unknown as readonly View[];

/** What collectors can see and rules may require. */
export const CAPABILITIES: readonly string[] = contract.capabilities.map(({ name }) => name);

export function findTable(name: string): Table | undefined {
  return TABLES.find((table) => table.name === name);
}

export function tablesIn(place: Place): readonly Table[] {
  return TABLES.filter((table) => table.in.includes(place));
}

export function viewsIn(place: Place): readonly View[] {
  return VIEWS.filter((view) => view.in.includes(place));
}

export function columnsIn(table: Table, place: Place): readonly Column[] {
  return table.columns.filter((column) => column.in.includes(place));
}

/** Every name that may stand after FROM in that place, with its columns. */
export function relationsIn(place: Place): ReadonlyMap<string, readonly string[]> {
  return new Map([
    ...tablesIn(place).map((table) => [table.name, columnsIn(table, place).map(({ name }) => name)] as const),
    ...viewsIn(place).map((view) => [view.name, view.columns.map(({ name }) => name)] as const),
  ]);
}

const TYPES: Readonly<Record<Dialect, Readonly<Record<ColumnType, string>>>> = {
  sqlite: { text: 'TEXT', integer: 'INTEGER', boolean: 'INTEGER' },
  duckdb: { text: 'VARCHAR', integer: 'BIGINT', boolean: 'BOOLEAN' },
};

/**
 * `CREATE TABLE` for one table of the contract. SQLite tables are STRICT, so a value of another type is refused rather
 * than kept as it came; there the key is the primary key. DuckDB's are loaded at once and never updated: no index.
 */
export function createTableSql(table: Table, dialect: Dialect, place: Place): string {
  const columns = columnsIn(table, place).map((column) => columnSql(column, dialect));
  if (dialect === 'duckdb') return `CREATE TABLE ${quoteName(table.name)} (${columns.join(', ')})`;
  const key = table.key.length === 0 ? [] : [`PRIMARY KEY (${table.key.map(quoteName).join(', ')})`];
  return `CREATE TABLE ${quoteName(table.name)} (${[...columns, ...key].join(', ')}) STRICT`;
}

function columnSql({ name, type, nullable }: Column, dialect: Dialect): string {
  const check = dialect === 'sqlite' && type === 'boolean' ? ` CHECK (${quoteName(name)} IN (0, 1))` : '';
  return `${quoteName(name)} ${TYPES[dialect][type]}${nullable ? '' : ' NOT NULL'}${check}`;
}

/** `CREATE VIEW` for one view of the contract; the same text in both dialects. */
export function createViewSql(view: View): string {
  const columns = view.columns.map((column) => `${viewExpression(column)} AS ${quoteName(column.name)}`);
  return `CREATE VIEW ${quoteName(view.name)} AS SELECT ${columns.join(', ')} FROM ${quoteName(view.of)}${viewFilter(view)}`;
}

function viewExpression({ column, values }: ViewColumn): string {
  if (values === undefined) return quoteName(column);
  const cases = Object.entries(values).map(([value, word]) => `WHEN ${quoteText(value)} THEN ${quoteText(word)}`);
  return `CASE ${quoteName(column)} ${cases.join(' ')} END`;
}

function viewFilter({ unless, only }: View): string {
  if (unless !== undefined) return ` WHERE ${quoteName(unless.column)} <> ${quoteText(unless.value)}`;
  if (only !== undefined) return ` WHERE ${quoteName(only.column)} = ${quoteText(only.value)}`;
  return '';
}

/** An SQL identifier, quoted: some names of the contract are keywords somewhere. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
