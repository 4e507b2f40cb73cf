import { closeSync, constants, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { messageOf } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { durableErrorFrom } from '../../durable/errors.ts';
import { AgentError } from '../errors.ts';
import { STORE_VERSION } from '../format.ts';
import { createContract } from './fold-io.ts';

export type Answered = { readonly [column: string]: unknown };
type Bound = string | number | null;

const PRAGMAS =
  'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 16777216';

/** The file of the event store: opened, of a version we know, its statements compiled once. */
export class StoreDatabase {
  readonly connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /**
   * @param ownTables made beside those of the contract when the file is new
   * @throws AgentError STORE_VERSION or STORE_DAMAGED; DurableError
   */
  constructor(path: string, ownTables: string) {
    createPrivately(path);
    try {
      this.connection = new DatabaseSync(path, { timeout: 2000, allowExtension: false, defensive: true });
      this.connection.exec(PRAGMAS);
      this.#create(path, ownTables);
    } catch (cause) {
      if (cause instanceof AgentError) throw cause;
      const where = escapeForTerminal(path);
      const message = `the event store ${where} can't be used (${messageOf(cause)}); move it away: it is made again from the logs`;
      throw new AgentError('STORE_DAMAGED', message, { cause });
    }
  }

  /** What the rows take, free pages not counted. */
  get bytes(): number {
    const of = (pragma: string) => Number(Object.values(this.one(`PRAGMA ${pragma}`) ?? {})[0]);
    return (of('page_count') - of('freelist_count')) * of('page_size');
  }

  one(sql: string, ...values: Bound[]): Answered | undefined {
    return this.#prepared(sql).get(...values) as Answered | undefined;
  }

  all(sql: string, ...values: Bound[]): Answered[] {
    return this.#prepared(sql).all(...values) as Answered[];
  }

  run(sql: string, ...values: Bound[]): void {
    this.#prepared(sql).run(...values);
  }

  /** All of it or nothing. @throws what `work` throws */
  transaction(work: () => void): void {
    this.connection.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.connection.exec('COMMIT');
    } catch (error) {
      // A full disk may have rolled it back already.
      if (this.connection.isTransaction) this.connection.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    if (this.connection.isOpen) this.connection.close();
  }

  #create(path: string, ownTables: string): void {
    const version = Number(this.one('PRAGMA user_version')?.['user_version']);
    if (version === STORE_VERSION || version === STORE_VERSION + 1) return;
    if (version !== 0) {
      const message = `the event store is of version ${version}, this program's is ${STORE_VERSION}; move ${escapeForTerminal(path)} away: it is made again from the logs`;
      throw new AgentError('STORE_VERSION', message);
    }
    this.transaction(() => {
      createContract(this.connection);
      this.connection.exec(`${ownTables}; PRAGMA user_version = ${STORE_VERSION}`);
    });
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql) ?? this.connection.prepare(sql);
    this.#statements.set(sql, known);
    return known;
  }
}

/** SQLite gives its journals the mode of the database, so that is set before there is anything in it. */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  } catch (cause) {
    throw durableErrorFrom(cause, 'open the event store', path);
  }
}
