import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBResult,
  DuckDBTypeId,
  type DuckDBValue,
  JsonDuckDBValueConverter,
} from '@duckdb/node-api';
import { messageOf } from '../core/errors.ts';
import { relationsIn } from '../core/tables.ts';
import { judgeTree } from './duckdb-gate.ts';
import { SandboxError } from './errors.ts';
import { type AnswerLimits, type Cell, MAX_SQL_LENGTH, type Question } from './protocol.ts';

/**
 * Settings of the instance, in this order: temp_directory can't be set any more once external access is off. None of
 * them is a fence by itself (https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview).
 */
const SETTINGS: Readonly<Record<string, string>> = {
  access_mode: 'READ_ONLY',
  temp_directory: '',
  max_temp_directory_size: '0B',
  autoload_known_extensions: 'false',
  autoinstall_known_extensions: 'false',
  allow_community_extensions: 'false',
  allow_unsigned_extensions: 'false',
  allow_persistent_secrets: 'false',
  max_expression_depth: '250',
  threads: '2',
  enable_external_access: 'false',
};

/** An answer must be the same in every time zone; after that nothing can be set any more. */
const LAST_SETTINGS = ["SET TimeZone = 'UTC'", 'SET lock_configuration = true'];

const SERIALIZE = 'SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true)';
const CANONICAL = 'SELECT json_deserialize_sql(json_serialize_sql($1::VARCHAR))';

/** The answer as the text of its parts, so that its size is known before there is too much of it. */
export type EncodedAnswer = {
  readonly columns: readonly string[];
  readonly origins: readonly null[];
  readonly rows: string;
  readonly reads: object;
};

/** After this the engine answers nothing any more: the child must end. */
export class EngineBroken extends Error {}

/** Answers questions with DuckDB over one case. Runs in the child only. */
export class DuckdbEngine {
  readonly #connection: DuckDBConnection;
  readonly #limits: AnswerLimits;
  readonly #relations: ReadonlySet<string>;

  private constructor(connection: DuckDBConnection, limits: AnswerLimits) {
    this.#connection = connection;
    this.#limits = limits;
    this.#relations = new Set(relationsIn('case').keys());
  }

  /** @param memoryBytes of DuckDB's own buffers @throws SandboxError DATABASE */
  static async open(database: string, limits: AnswerLimits, memoryBytes: number): Promise<DuckdbEngine> {
    try {
      const instance = await DuckDBInstance.create(database, { memory_limit: `${memoryBytes}B`, ...SETTINGS });
      const connection = await instance.connect();
      for (const setting of LAST_SETTINGS) await connection.run(setting);
      return new DuckdbEngine(connection, limits);
    } catch (cause) {
      const held = /could not set lock|being used by another/i.test(messageOf(cause));
      const advice = held ? 'another program holds it open for writing; close that program' : 'add its packages again';
      throw new SandboxError('DATABASE', `the database of the case can't be opened: ${advice}`, { cause });
    }
  }

  /** @throws SandboxError with the codes a child may give @throws EngineBroken */
  async answer({ sql, given, compileOnly }: Question): Promise<EncodedAnswer> {
    if (given !== undefined) throw new SandboxError('GIVEN_REFUSED', 'this sandbox reads a database');
    try {
      const reads = await this.#judge(sql);
      const wrapped = await this.#wrap(sql);
      const statement = await this.#connection.prepare(wrapped);
      const columns = Array.from({ length: statement.columnCount }, (_, i) => statement.columnName(i));
      const rows = compileOnly === true ? '[]' : await encodeRows(await statement.stream(), this.#limits);
      // Which columns were read, and which the answer shows as they are, DuckDB doesn't tell.
      const named = Object.fromEntries([...reads].sort().map((name) => [name, []]));
      return { columns, origins: columns.map(() => null), rows, reads: named };
    } catch (cause) {
      throw translated(cause);
    }
  }

  async #judge(sql: string): Promise<ReadonlySet<string>> {
    if (sql.length > MAX_SQL_LENGTH)
      throw new SandboxError('SQL_REFUSED', `the statement is over ${MAX_SQL_LENGTH} characters`);
    if (sql.includes('\0')) throw new SandboxError('SQL_REFUSED', 'the statement has a NUL character');
    return judgeTree(await this.#one(SERIALIZE, sql), this.#relations);
  }

  /**
   * The statement as DuckDB itself writes it, with a limit around it. That text is judged again: were it to read
   * differently than the tree it was made from, whatever it then says has to pass the gate too.
   */
  async #wrap(sql: string): Promise<string> {
    const canonical = (await this.#one(CANONICAL, sql)).replace(/;\s*$/, '');
    const wrapped = `SELECT * FROM (${canonical}) AS answer LIMIT ${this.#limits.rows + 1}`;
    judgeTree(await this.#one(SERIALIZE, wrapped), this.#relations);
    return wrapped;
  }

  async #one(sql: string, parameter: string): Promise<string> {
    const reader = await this.#connection.runAndReadAll(sql, [parameter]);
    return String(reader.getRows()[0]?.[0]);
  }
}

async function encodeRows(result: DuckDBResult, limits: AnswerLimits): Promise<string> {
  const width = result.columnCount;
  const types = result.columnTypes();
  const rows: string[] = [];
  let bytes = 0;
  for await (const chunk of result) {
    const columns = types.map((_, i) => chunk.getColumnVector(i));
    // Row by row, so that a value is only turned into one of ours while there is room for it.
    for (let i = 0; i < chunk.rowCount; i++) {
      if (rows.length === limits.rows)
        throw new SandboxError('TOO_MANY_ROWS', `the answer has more than ${limits.rows} rows; add a LIMIT`);
      if ((rows.length + 1) * width > limits.cells)
        throw new SandboxError('ANSWER_TOO_LARGE', `the answer has more than ${limits.cells} values`);
      const cells = columns.map((column, at) => {
        const value = column.getItem(i);
        return value === null ? null : cellOf(value, types[at]?.typeId, () => nested(value, types[at]));
      });
      const text = JSON.stringify(cells);
      bytes += Buffer.byteLength(text) + 1;
      if (bytes > limits.bytes) throw new SandboxError('ANSWER_TOO_LARGE', `the answer is over ${limits.bytes} bytes`);
      rows.push(text);
    }
  }
  return `[${rows.join(',')}]`;
}

const NESTED: ReadonlySet<DuckDBTypeId | undefined> = new Set([
  DuckDBTypeId.LIST,
  DuckDBTypeId.ARRAY,
  DuckDBTypeId.STRUCT,
  DuckDBTypeId.MAP,
]);

/** Booleans are 1 and 0, as in the agent; lists and structs are JSON; dates and decimals are text. */
function cellOf(value: DuckDBValue, type: DuckDBTypeId | undefined, asJson: () => string): Cell {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw new SandboxError('SQL_ERROR', 'a value of the answer is not finite; use CAST');
  }
  if (type === DuckDBTypeId.BLOB || type === DuckDBTypeId.BIT)
    throw new SandboxError('SQL_ERROR', 'a value of the answer is not text; use hex()');
  return NESTED.has(type) ? asJson() : String(value);
}

function nested(value: DuckDBValue, type: Parameters<typeof JsonDuckDBValueConverter>[1] | undefined): string {
  return type === undefined
    ? String(value)
    : JSON.stringify(JsonDuckDBValueConverter(value, type, JsonDuckDBValueConverter));
}

function translated(cause: unknown): unknown {
  if (cause instanceof SandboxError) return cause;
  const message = messageOf(cause);
  if (/out of memory|bad_alloc|failed to allocate|could not allocate/i.test(message))
    return new SandboxError('MEMORY', 'the question needs more memory than it may have', { cause });
  // DuckDB then refuses everything until it is opened anew.
  if (/^(INTERNAL|FATAL) Error/.test(message)) return new EngineBroken(message, { cause });
  return new SandboxError('SQL_ERROR', message.split('\n\n')[0] ?? message, { cause });
}
