import { constants, type DatabaseSync, type StatementSync } from 'node:sqlite';
import { type Place, tablesIn } from '../core/tables.ts';
import { SandboxError } from './errors.ts';
import { type Answer, MAX_SQL_LENGTH } from './protocol.ts';
import { type Instruction, refuseProgram, StatementPolicy } from './sqlite-policy.ts';

/** A statement that was judged, and what it shows and reads. */
export type Compiled = Pick<Answer, 'columns' | 'origins' | 'reads'> & { readonly statement: StatementSync };

/** Statements that are kept, and instructions that one of them may have: together they bound the memory it takes. */
const MAX_KEPT = 512;
const MAX_KEPT_INSTRUCTIONS = 2000;

/**
 * Compiles and judges statements of one connection, and keeps them for when they are asked again, as rules are: judging
 * costs more than answering. What is kept is good for one schema; under another everything is judged anew.
 */
export class Compiler {
  readonly #database: DatabaseSync;
  readonly #place: Place;
  readonly #relations: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #schemaVersion: StatementSync;
  readonly #kept = new Map<string, Compiled>();
  #version: unknown;
  #rootPages: ReadonlySet<number> = new Set();
  /** Of the statement that is being compiled or run; without one, only our own statements are. */
  #policy: StatementPolicy | undefined;

  constructor(database: DatabaseSync, place: Place, relations: ReadonlyMap<string, ReadonlySet<string>>) {
    this.#database = database;
    this.#place = place;
    this.#relations = relations;
    this.#schemaVersion = database.prepare('PRAGMA schema_version');
    // Once and for all: setting an authorizer makes SQLite forget every statement it has compiled.
    database.setAuthorizer((action, first, second, name, view) =>
      this.#policy === undefined ? constants.SQLITE_OK : this.#policy.authorize(action, first, second, name, view),
    );
  }

  /**
   * Compiles a statement and uses it; while it is used, SQLite may have to compile it again, and asks again.
   * @throws SandboxError SQL_REFUSED, with the policy's own words; what SQLite or `use` throws
   */
  use<T>(sql: string, use: (compiled: Compiled) => T): T {
    this.#followSchema();
    const policy = new StatementPolicy(this.#relations);
    this.#policy = policy;
    try {
      return use(this.#kept.get(sql) ?? this.#compile(sql, policy));
    } catch (cause) {
      throw policy.refusal === undefined ? cause : new SandboxError('SQL_REFUSED', policy.refusal);
    } finally {
      this.#policy = undefined;
    }
  }

  /** A live store may be rebuilt: root pages are then others. */
  #followSchema(): void {
    const version = this.#schemaVersion.get()?.['schema_version'];
    if (version === this.#version) return;
    this.#kept.clear();
    this.#rootPages = readRootPages(this.#database, this.#place);
    this.#version = version;
  }

  #compile(sql: string, policy: StatementPolicy): Compiled {
    if (sql.length > MAX_SQL_LENGTH) throw refused(`the statement is over ${MAX_SQL_LENGTH} characters`);
    if (sql.includes('\0')) throw refused('the statement has a NUL character');
    const statement = this.#database.prepare(sql, { returnArrays: true, readBigInts: true });
    // SQLite compiles the first statement and leaves the rest: `sourceSQL` is what it took.
    if (sql.slice(statement.sourceSQL.length).trim() !== '') throw refused('more than one statement');
    const program = this.#database.prepare(`EXPLAIN ${sql}`).all() as unknown as readonly Instruction[];
    const refusal = refuseProgram(program, this.#rootPages);
    if (refusal !== undefined) throw refused(refusal);
    const shown = statement.columns();
    const columns = shown.map(({ name }) => name);
    const origins = shown.map(({ table, column }) => (table === null || column === null ? null : { table, column }));
    const compiled = { statement, columns, origins, reads: policy.reads };
    if (program.length <= MAX_KEPT_INSTRUCTIONS) this.#keep(sql, compiled);
    return compiled;
  }

  #keep(sql: string, compiled: Compiled): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(sql, compiled);
  }
}

/** Root pages of the contract's tables and their indexes. Touches the file, which SQLite otherwise puts off. */
export function readRootPages(database: DatabaseSync, place: Place): Set<number> {
  const names = tablesIn(place).map(({ name }) => `'${name}'`);
  const rows = database
    .prepare(`SELECT rootpage FROM sqlite_schema WHERE rootpage > 0 AND tbl_name IN (${names.join(', ')})`)
    .all();
  return new Set(rows.map((row) => Number(row['rootpage'])));
}

function refused(reason: string): SandboxError {
  return new SandboxError('SQL_REFUSED', reason);
}
