import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { quoteName } from '../../core/tables.ts';
import { columnNames, contractTable, integerOf, isType, type Row, rowOf, type StoredLine, textOf } from './rows.ts';

const PROCESSES = contractTable('processes');
const EVENTS = contractTable('process_events');

/** What a process is because of its program: after an exec nothing of the program before it holds any more. */
const OF_PROGRAM: ReadonlySet<string> = new Set(
  'process_executable process_executable_state process_hash_sha256 process_hash_blake3 process_args_count process_command_line argv_mask argv_state env_mask env_state process_memory_wx_regions process_memory_anonymous_exec_regions process_memory_deleted_exec_regions'.split(
    ' ',
  ),
);
/** As they were when the process was first seen. */
const FIRST: ReadonlySet<string> = new Set(
  'entity ts host_id host_boot_id log_origin event_sequence process_parent_name process_parent_executable process_parent_command_line process_end process_exit_code'.split(
    ' ',
  ),
);

export type ProcessChange = {
  readonly entity: string;
  /** Never seen before, or another program than before. */
  readonly isNew: boolean;
  /** Its children that came before it, whose parent is known only now: rules have to look at them again. */
  readonly children: readonly string[];
};

/** Brings `processes` and `process_events` up to a line. Written for both stores: in one the arguments are clear. */
export class ProcessFold {
  readonly #insertEvent: StatementSync;
  readonly #seen: StatementSync;
  readonly #execed: StatementSync;
  readonly #ended: StatementSync;
  readonly #find: StatementSync;
  readonly #adopt: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insertEvent = database.prepare(insertSql('process_events', columnNames(EVENTS)));
    this.#seen = database.prepare(upsertSql(false));
    this.#execed = database.prepare(upsertSql(true));
    this.#ended = database.prepare(
      'UPDATE processes SET process_end = coalesce(process_end, ?), process_exit_code = coalesce(?, process_exit_code) WHERE entity = ?',
    );
    this.#find = database.prepare(
      'SELECT process_name, process_executable, process_command_line FROM processes WHERE entity = ?',
    );
    this.#adopt = database.prepare(
      `UPDATE processes SET process_parent_name = ?, process_parent_executable = ?, process_parent_command_line = ?
       WHERE parent_entity = ? AND process_parent_name IS NULL AND process_parent_executable IS NULL RETURNING entity`,
    );
  }

  /** @param command the arguments as this store may hold them */
  apply(stored: StoredLine, command: string | null): ProcessChange | undefined {
    const { line } = stored;
    const event = rowOf(EVENTS, stored, { process_command_line: command });
    if (event !== undefined) this.#insertEvent.run(...Object.values(event));
    if (isType(line, 'process.exit')) {
      this.#ended.run(
        integerOf(line.data, 'process_end') ?? line.ts,
        integerOf(line.data, 'process_exit_code'),
        textOf(line.data, 'entity'),
      );
      return undefined;
    }
    const parent = this.find(textOf(line.data, 'parent_entity'));
    const row = rowOf(PROCESSES, stored, {
      process_command_line: command,
      process_end: null,
      process_exit_code: null,
      process_parent_name: parent?.['process_name'] ?? null,
      process_parent_executable: parent?.['process_executable'] ?? null,
      process_parent_command_line: parent?.['process_command_line'] ?? null,
    });
    if (row === undefined) return undefined;
    const entity = String(row['entity']);
    const isExec = isType(line, 'process.exec');
    const isUnknown = this.find(entity) === undefined;
    (isExec ? this.#execed : this.#seen).run(...Object.values(row));
    return { entity, isNew: isExec || isUnknown, children: isUnknown ? this.#adoptChildren(entity, row) : [] };
  }

  #adoptChildren(entity: string, row: Row): string[] {
    const of = (column: string) => row[column] ?? null;
    const parent = [of('process_name'), of('process_executable'), of('process_command_line')];
    return this.#adopt.all(...parent, entity).map((child) => String(child['entity']));
  }

  /** What other tables show of a process. */
  find(entity: string | null): Row | undefined {
    return entity === null ? undefined : (this.#find.get(entity) as Row | undefined);
  }
}

export function insertSql(table: string, columns: readonly string[]): string {
  return `INSERT INTO ${quoteName(table)} (${columns.map(quoteName).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`;
}

function upsertSql(isExec: boolean): string {
  const columns = columnNames(PROCESSES);
  const updates = columns
    .filter((name) => !FIRST.has(name))
    .map((name) => {
      const column = quoteName(name);
      if (isExec && OF_PROGRAM.has(name)) return `${column} = excluded.${column}`;
      if (name === 'creator_entity') return `${column} = coalesce(${column}, excluded.${column})`;
      return `${column} = coalesce(excluded.${column}, ${column})`;
    });
  return `${insertSql('processes', columns)} ON CONFLICT (entity) DO UPDATE SET ${updates.join(', ')}`;
}
