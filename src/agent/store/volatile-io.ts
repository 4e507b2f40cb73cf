import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { CLEAR_WINDOW_MS, VOLATILE_BYTES } from '../format.ts';
import { type Changes, createContract, Fold, isFull, noChanges } from './fold-io.ts';
import { makeMemoryPlace } from './memory-place-io.ts';
import { isType, type StoredLine, textOf } from './rows.ts';

const PAGE_BYTES = 4096;
/** Ours, and for no rule to see: processes as they were before they became what stands in `processes` now. */
const EARLIER =
  'CREATE TABLE earlier_processes AS SELECT * FROM processes; CREATE INDEX earlier_entity ON earlier_processes (entity)';

/**
 * What the detector sees, and it alone opens: the tables of the contract for living processes and a short time behind
 * them, arguments in clear. Lies in memory and ends with the agent. Where a machine has no files in memory, it lies in
 * the data directory and has no arguments: rules that need them are degraded.
 */
export class VolatileStore implements Disposable {
  readonly directory: string;
  readonly path: string;
  readonly hasClear: boolean;
  readonly #database: DatabaseSync;
  readonly #fold: Fold;
  readonly #null: StatementSync;
  readonly #keep: StatementSync;
  /** Entities that are new and that no rule has been shown yet. */
  readonly #unseen = new Set<string>();
  #hasEarlier = false;
  /** Lines that found no room. */
  shed = 0;

  constructor(data: string, env: NodeJS.ProcessEnv) {
    const place = makeMemoryPlace(data, env);
    this.hasClear = place !== undefined;
    this.directory = place ?? mkdtempSync(join(data, 'detector-'));
    this.path = join(this.directory, 'detector.db');
    this.#database = new DatabaseSync(this.path, { timeout: 1000, allowExtension: false, defensive: true });
    this.#database.exec(
      `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA secure_delete = ON;
       PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096; PRAGMA journal_size_limit = 4194304;
       PRAGMA max_page_count = ${VOLATILE_BYTES / PAGE_BYTES}; BEGIN`,
    );
    createContract(this.#database);
    this.#database.exec(`${EARLIER}; COMMIT`);
    this.#fold = new Fold(this.#database, true);
    this.#null = this.#database.prepare('SELECT process_command_line IS NULL AS gone FROM processes WHERE entity = ?');
    this.#keep = this.#database.prepare('INSERT INTO earlier_processes SELECT * FROM processes WHERE entity = ?');
  }

  /** Takes in lines, with their arguments where they have them. @returns what is new to the rules */
  take(lines: readonly StoredLine[], now: number): Changes {
    const changes = noChanges();
    const apply = () => {
      for (const stored of lines) this.#apply(this.hasClear ? stored : { ...stored, command: undefined }, changes);
    };
    try {
      this.#transaction(apply);
    } catch (error) {
      if (!isFull(error)) throw error;
      // The dead make room for the living.
      this.prune(now, 0);
      try {
        this.#transaction(apply);
      } catch (again) {
        if (!isFull(again)) throw again;
        this.shed += lines.length;
      }
    }
    for (const entity of changes.processes) this.#unseen.add(entity);
    return changes;
  }

  /** A program that became another before any rule was asked about it is kept for them. */
  #apply(stored: StoredLine, changes: Changes): void {
    const { line } = stored;
    const entity = isType(line, 'process.exec') ? textOf(line.data, 'entity') : null;
    if (entity !== null && (this.#unseen.has(entity) || changes.processes.has(entity))) {
      this.#hasEarlier = Number(this.#keep.run(entity).changes) > 0 || this.#hasEarlier;
    }
    this.#fold.apply(stored, changes);
  }

  /**
   * Fills `new_processes` with what processes were before they became what they are, one program of each at a time,
   * oldest first; call it, and ask the rules, until there is none left.
   * @returns whether there was any
   */
  setEarlier(): boolean {
    if (!this.#hasEarlier) return false;
    this.#transaction(() => {
      const oldest = '(SELECT min(rowid) FROM earlier_processes GROUP BY entity)';
      this.#database.exec(
        `DELETE FROM new_processes; DELETE FROM new_connections;
         INSERT INTO new_processes SELECT * FROM earlier_processes WHERE rowid IN ${oldest};
         DELETE FROM earlier_processes WHERE rowid IN ${oldest}`,
      );
    });
    const { left } = this.#database.prepare('SELECT count(*) AS left FROM earlier_processes').get() as { left: number };
    this.#hasEarlier = left > 0;
    return true;
  }

  /** Fills the tables of what is new. @param changes `all`: everything that is there */
  setNew(changes: Changes | 'all'): void {
    if (changes === 'all') this.#unseen.clear();
    else for (const entity of changes.processes) this.#unseen.delete(entity);
    this.#transaction(() => {
      this.#database.exec('DELETE FROM new_processes; DELETE FROM new_connections');
      if (changes === 'all') {
        this.#database.exec(
          'INSERT INTO new_processes SELECT * FROM processes; INSERT INTO new_connections SELECT * FROM connections',
        );
        return;
      }
      const processes = this.#database.prepare('INSERT INTO new_processes SELECT * FROM processes WHERE entity = ?');
      for (const entity of changes.processes) processes.run(entity);
      const connections = this.#database.prepare(
        'INSERT INTO new_connections SELECT * FROM connections WHERE connection_id = ?',
      );
      for (const id of changes.connections) connections.run(id);
    });
  }

  /** Whether the arguments of a process are not there for rules to see. */
  lacksArguments(entity: string): boolean {
    const row = this.#null.get(entity) as { readonly gone: number } | undefined;
    return row === undefined || row.gone === 1;
  }

  /** The arguments in clear of the dead are kept for a short time only. */
  prune(now: number, window = CLEAR_WINDOW_MS): void {
    const before = now - window;
    this.#transaction(() => {
      for (const [table, column] of [
        ['processes', 'process_end'],
        ['earlier_processes', 'process_end'],
        ['process_events', 'ts'],
        ['connections', 'connection_end'],
        ['files', 'ts'],
      ]) {
        this.#database.prepare(`DELETE FROM ${table} WHERE ${column} <= ?`).run(before);
      }
    });
    // The journal still holds the pages as they were. While the detector reads it stays, until the next time.
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  /** Forgets everything: a collector begins anew and tells of all that lives. */
  reset(): void {
    const tables = 'processes new_processes earlier_processes process_events connections new_connections files'.split(
      ' ',
    );
    this.#transaction(() => {
      for (const table of tables) this.#database.exec(`DELETE FROM ${table}`);
    });
    this.#unseen.clear();
    this.#hasEarlier = false;
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}
