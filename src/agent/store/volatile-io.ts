import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { CLEAR_WINDOW_MS, VOLATILE_BYTES } from '../format.ts';
import { type Changes, createContract, Fold, isFull, noChanges } from './fold-io.ts';
import { makeMemoryPlace } from './memory-place-io.ts';
import type { StoredLine } from './rows.ts';

const PAGE_BYTES = 4096;

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
  /** Rows that found no room. */
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
    this.#database.exec('COMMIT');
    this.#fold = new Fold(this.#database, true);
    this.#null = this.#database.prepare('SELECT process_command_line IS NULL AS gone FROM processes WHERE entity = ?');
  }

  /** Takes in lines, with their arguments where they have them. @returns what is new to the rules */
  take(lines: readonly StoredLine[], now: number): Changes {
    const changes = noChanges();
    const apply = () => {
      for (const stored of lines) this.#fold.apply(this.hasClear ? stored : { ...stored, command: undefined }, changes);
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
    return changes;
  }

  /** Fills the tables of what is new. @param changes `all`: everything that is there */
  setNew(changes: Changes | 'all'): void {
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
    this.#transaction(() => {
      for (const table of ['processes', 'new_processes', 'process_events', 'connections', 'new_connections', 'files']) {
        this.#database.exec(`DELETE FROM ${table}`);
      }
    });
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
