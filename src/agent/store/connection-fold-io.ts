import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { insertSql } from './process-fold-io.ts';
import { columnNames, contractTable, integerOf, isType, type Row, rowOf, type StoredLine, textOf } from './rows.ts';

const CONNECTIONS = contractTable('connections');

/**
 * Brings `connections` up to a line. A connection is known by its socket's cookie; without one by its socket and its
 * addresses: an event that opens begins a new one unless one of that socket is open (a trace tells again of what was
 * open before it), and a close belongs to the newest that is open.
 */
export class ConnectionFold {
  readonly #insert: StatementSync;
  readonly #findOpen: StatementSync;
  readonly #close: StatementSync;
  readonly #trace: StatementSync;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`${insertSql('connections', columnNames(CONNECTIONS))} ON CONFLICT DO NOTHING`);
    this.#findOpen = database.prepare(
      `SELECT connection_id FROM connections WHERE socket_inode IS ? AND source_ip IS ? AND source_port IS ?
       AND destination_ip IS ? AND destination_port IS ? AND network_transport IS ? AND network_namespace IS ?
       AND connection_state <> 'closed' ORDER BY ts DESC LIMIT 1`,
    );
    this.#trace = database.prepare('UPDATE connections SET trace_id = coalesce(?, trace_id) WHERE connection_id = ?');
    this.#close = database.prepare(
      `UPDATE connections SET connection_state = 'closed', connection_end = ? WHERE connection_id = ?`,
    );
  }

  /**
   * @param process what the store knows of the process that holds it
   * @returns the id of a connection that is new
   */
  apply(stored: StoredLine, process: Row | undefined): string | undefined {
    const { line, host } = stored;
    const address = addressOf(stored);
    const open = this.#findOpen.get(...address) as { connection_id: string } | undefined;
    const cookie = textOf(line.data, 'socket_cookie');
    const where = [host, textOf(line.data, 'network_namespace') ?? ''];
    const id =
      cookie === null
        ? `${[...where, ...address.slice(1, 6)].map((part) => part ?? '').join(' ')} @${line.ts}#${line.seq}`
        : [...where, cookie].join(' ');
    if (isType(line, 'network.close')) {
      this.#close.run(line.ts, cookie === null ? (open?.connection_id ?? id) : id);
      return undefined;
    }
    if (open !== undefined && cookie === null && address[0] !== null) {
      this.#trace.run(textOf(line.data, 'trace_id'), open.connection_id);
      return undefined;
    }
    const row = rowOf(CONNECTIONS, stored, {
      connection_id: id,
      connection_state: isType(line, 'network.listen') ? 'listening' : 'open',
      connection_end: null,
      process_executable: process?.['process_executable'] ?? null,
      process_command_line: process?.['process_command_line'] ?? null,
    });
    if (row === undefined) return undefined;
    return Number(this.#insert.run(...Object.values(row)).changes) === 0 ? undefined : id;
  }
}

function addressOf({ line: { data } }: StoredLine) {
  return [
    textOf(data, 'socket_inode'),
    textOf(data, 'source_ip'),
    integerOf(data, 'source_port'),
    textOf(data, 'destination_ip'),
    integerOf(data, 'destination_port'),
    textOf(data, 'network_transport'),
    textOf(data, 'network_namespace'),
  ] as const;
}
