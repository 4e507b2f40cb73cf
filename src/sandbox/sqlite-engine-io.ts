import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { messageOf } from '../core/errors.ts';
import {
  columnsIn,
  createTableSql,
  createViewSql,
  findTable,
  type Place,
  quoteName,
  relationsIn,
  tablesIn,
  viewsIn,
} from '../core/tables.ts';
import { SandboxError } from './errors.ts';
import {
  type Answer,
  type AnswerLimits,
  type Cell,
  type GivenRow,
  type GivenTables,
  type GivenValue,
  MAX_SQL_LENGTH,
  type Question,
  type SqliteOpenRequest,
} from './protocol.ts';
import { Compiler, readRootPages } from './sqlite-compiler-io.ts';

/** Bytes of one value, whatever made it: `replace`, `hex`, `group_concat`, a row to sort. */
const MAX_VALUE_BYTES = 4 * 1024 * 1024;

/** Limits of a connection once its data is in (https://www.sqlite.org/c3ref/c_limit_attached.html). */
const LIMITS = {
  length: MAX_VALUE_BYTES,
  sqlLength: MAX_SQL_LENGTH * 4,
  column: 512,
  exprDepth: 250,
  compoundSelect: 64,
  vdbeOp: 100_000,
  functionArg: 32,
  attach: 0,
  likePatternLength: 1024,
  variableNumber: 0,
  triggerDepth: 0,
};

/** SQLite result codes (https://www.sqlite.org/rescode.html). */
const SQLITE_NOMEM = 7;
const SQLITE_TOOBIG = 18;

/** The answer as the text of its parts, so that its size is known before there is too much of it. */
export type EncodedAnswer = Omit<Answer, 'rows'> & { readonly rows: string };

/** Answers questions with SQLite. Runs in the child only. */
export class SqliteEngine {
  readonly #place: Place;
  readonly #limits: AnswerLimits;
  readonly #relations: ReadonlyMap<string, ReadonlySet<string>>;
  /** Over the database, if there is one. */
  readonly #compiler: Compiler | undefined;

  /** @throws SandboxError DATABASE */
  constructor({ place, limits, database }: SqliteOpenRequest) {
    this.#place = place;
    this.#limits = limits;
    this.#relations = new Map([...relationsIn(place)].map(([name, columns]) => [name, new Set(columns)]));
    this.#compiler =
      database === undefined ? undefined : new Compiler(openFile(database, place), place, this.#relations);
  }

  /** @throws SandboxError with the codes a child may give */
  answer(question: Question): EncodedAnswer {
    if (this.#compiler !== undefined) {
      if (question.given !== undefined) throw new SandboxError('GIVEN_REFUSED', 'this sandbox reads a database');
      return this.#answerWith(this.#compiler, question);
    }
    const database = openMemory(this.#place, question.given ?? {});
    try {
      return this.#answerWith(new Compiler(database, this.#place, this.#relations), question);
    } finally {
      database.close();
    }
  }

  #answerWith(compiler: Compiler, { sql, compileOnly }: Question): EncodedAnswer {
    try {
      return compiler.use(sql, ({ statement, columns, origins, reads }) => {
        const rows = compileOnly === true ? '[]' : encodeRows(statement, columns.length, this.#limits);
        return { columns, origins, rows, reads };
      });
    } catch (cause) {
      throw translated(cause);
    }
  }
}

function openFile(path: string, place: Place): DatabaseSync {
  try {
    const database = new DatabaseSync(path, { readOnly: true, defensive: true, allowExtension: false, limits: LIMITS });
    harden(database);
    // SQLite looks at a file only when it must.
    readRootPages(database, place);
    return database;
  } catch (cause) {
    throw new SandboxError('DATABASE', "the database to read can't be opened", { cause });
  }
}

function openMemory(place: Place, given: GivenTables): DatabaseSync {
  const database = new DatabaseSync(':memory:', { defensive: true, allowExtension: false });
  database.exec(
    [
      ...tablesIn(place).map((table) => createTableSql(table, 'sqlite', place)),
      ...viewsIn(place).map(createViewSql),
    ].join(';'),
  );
  for (const [table, rows] of Object.entries(given)) insertRows(database, table, rows, place);
  harden(database);
  Object.assign(database.limits, LIMITS);
  return database;
}

/**
 * temp_store: SQLite's own file access is native and not bound by the runtime's permission model, so nothing may ever
 * spill to a file. There is no hard_heap_limit: this build of SQLite keeps no memory statistics and ignores it; the
 * operating system's limit on the child does that work (see launch.ts).
 */
function harden(database: DatabaseSync): void {
  database.exec(
    'PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA query_only = ON',
  );
}

function insertRows(database: DatabaseSync, name: string, rows: readonly GivenRow[], place: Place): void {
  const table = findTable(name);
  if (table === undefined || !table.in.includes(place))
    throw new SandboxError('GIVEN_REFUSED', `there is no table ${JSON.stringify(name)}`);
  const known = new Set(columnsIn(table, place).map((column) => column.name));
  for (const row of rows) {
    const columns = Object.keys(row);
    const unknown = columns.find((column) => !known.has(column));
    if (unknown !== undefined)
      throw new SandboxError('GIVEN_REFUSED', `${name} has no column ${JSON.stringify(unknown)}`);
    const values = columns.map((column) => storable(row[column] ?? null));
    try {
      database
        .prepare(
          `INSERT INTO ${quoteName(name)} (${columns.map(quoteName).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
        )
        .run(...values);
    } catch (cause) {
      throw new SandboxError('GIVEN_REFUSED', `a row for ${name} doesn't fit: ${messageOf(cause)}`, { cause });
    }
  }
}

function storable(value: GivenValue): string | bigint | number | null {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value;
}

function encodeRows(statement: StatementSync, width: number, limits: AnswerLimits): string {
  const rows: string[] = [];
  let bytes = 0;
  for (const row of statement.iterate() as unknown as Iterable<readonly unknown[]>) {
    if (rows.length === limits.rows)
      throw new SandboxError('TOO_MANY_ROWS', `the answer has more than ${limits.rows} rows`);
    if ((rows.length + 1) * width > limits.cells)
      throw new SandboxError('ANSWER_TOO_LARGE', `the answer has more than ${limits.cells} values`);
    const text = JSON.stringify(row.map(cellOf));
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > limits.bytes) throw new SandboxError('ANSWER_TOO_LARGE', `the answer is over ${limits.bytes} bytes`);
    rows.push(text);
  }
  return `[${rows.join(',')}]`;
}

function cellOf(value: unknown): Cell {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new SandboxError('SQL_ERROR', 'a value of the answer is a blob or not finite; use hex() or CAST');
}

function translated(cause: unknown): SandboxError {
  if (cause instanceof SandboxError) return cause;
  const code = (cause as { readonly errcode?: unknown }).errcode;
  if (code === SQLITE_NOMEM)
    return new SandboxError('MEMORY', 'the question needs more memory than it may have', { cause });
  if (code === SQLITE_TOOBIG)
    return new SandboxError('MEMORY', `a value grew over ${MAX_VALUE_BYTES} bytes`, { cause });
  return new SandboxError('SQL_ERROR', messageOf(cause), { cause });
}
