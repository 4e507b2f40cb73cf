import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { createTableSql, createViewSql, tablesIn, viewsIn } from '../../core/tables.ts';
import { ConnectionFold } from './connection-fold-io.ts';
import { insertSql, ProcessFold } from './process-fold-io.ts';
import { asType, columnNames, contractTable, integerOf, rowOf, type StoredLine, textOf } from './rows.ts';

const FILES = contractTable('files');
const ALERTS = contractTable('alerts');
const TRACES = contractTable('traces');

/** What is new to the rules. */
export type Changes = { readonly processes: Set<string>; readonly connections: Set<string> };

const INDEXES = `
  CREATE INDEX processes_parent ON processes (parent_entity);
  CREATE INDEX processes_end ON processes (process_end);
  CREATE INDEX process_events_entity ON process_events (entity);
  CREATE INDEX process_events_ts ON process_events (ts);
  CREATE INDEX connections_entity ON connections (entity);
  CREATE INDEX connections_socket ON connections (socket_inode);
  CREATE INDEX connections_end ON connections (connection_end);
  CREATE INDEX files_ts ON files (ts);
  CREATE INDEX alerts_ts ON alerts (ts)`;

/** The tables of the contract, empty. Indexes are our own affair: questions may use any of a table they may read. */
export function createContract(database: DatabaseSync): void {
  for (const table of tablesIn('agent')) database.exec(createTableSql(table, 'sqlite', 'agent'));
  for (const view of viewsIn('agent')) database.exec(createViewSql(view));
  database.exec(INDEXES);
}

/** Brings the tables of the contract up to a line, whatever kind it is. Both stores are made by this. */
export class Fold {
  readonly #processes: ProcessFold;
  readonly #connections: ConnectionFold;
  readonly #file: StatementSync;
  readonly #alert: StatementSync;
  readonly #repeated: StatementSync;
  readonly #judged: StatementSync;
  readonly #trace: StatementSync;
  readonly #traceStopped: StatementSync;
  readonly #isClear: boolean;

  /** @param isClear whether this store may hold arguments; else the mask stands in their place */
  constructor(database: DatabaseSync, isClear: boolean) {
    this.#isClear = isClear;
    this.#processes = new ProcessFold(database);
    this.#connections = new ConnectionFold(database);
    this.#file = database.prepare(insertSql('files', columnNames(FILES)));
    this.#alert = database.prepare(`${insertSql('alerts', columnNames(ALERTS))} ON CONFLICT DO NOTHING`);
    this.#repeated = database.prepare('UPDATE alerts SET count = max(count, ?) WHERE alert_id = ?');
    this.#judged = database.prepare(
      'UPDATE alerts SET state = ?, resolution = coalesce(?, resolution) WHERE alert_id = ?',
    );
    this.#trace = database.prepare(`${insertSql('traces', columnNames(TRACES))} ON CONFLICT DO NOTHING`);
    this.#traceStopped = database.prepare(
      'UPDATE traces SET ended = ?, end_cause = ?, line_count = ? WHERE trace_id = ? AND host_id = ?',
    );
  }

  apply(stored: StoredLine, changes: Changes): void {
    const { type } = stored.line;
    if (type.startsWith('process.')) this.#process(stored, changes);
    else if (type.startsWith('network.')) {
      const id = this.#connections.apply(stored, this.#processes.find(textOf(stored.line.data, 'entity')));
      if (id !== undefined) changes.connections.add(id);
    } else if (type.startsWith('file.')) this.#fileEvent(stored);
    else if (type.startsWith('alert.')) this.#alertEvent(stored);
    else if (type.startsWith('trace.')) this.#traceEvent(stored);
  }

  #process(stored: StoredLine, changes: Changes): void {
    const mask = textOf(stored.line.data, 'argv_mask');
    const change = this.#processes.apply(stored, this.#isClear ? (stored.command ?? null) : mask);
    if (change?.isNew === true) changes.processes.add(change.entity);
    for (const child of change?.children ?? []) changes.processes.add(child);
  }

  #fileEvent(stored: StoredLine): void {
    const process = this.#processes.find(textOf(stored.line.data, 'entity'));
    const row = rowOf(FILES, stored, {
      process_executable: process?.['process_executable'] ?? null,
      process_command_line: process?.['process_command_line'] ?? null,
    });
    if (row !== undefined) this.#file.run(...Object.values(row));
  }

  #alertEvent(stored: StoredLine): void {
    const { type, data } = stored.line;
    const id = textOf(data, 'alert_id');
    if (type === 'alert.raised') {
      const row = rowOf(ALERTS, stored, { count: 1, state: 'open', resolution: null });
      if (row !== undefined) this.#alert.run(...Object.values(row));
    } else if (type === 'alert.repeated') this.#repeated.run(integerOf(data, 'count'), id);
    else if (type === 'alert.acknowledged') this.#judged.run('acknowledged', null, id);
    else if (type === 'alert.closed') this.#judged.run('closed', textOf(data, 'resolution'), id);
  }

  #traceEvent(stored: StoredLine): void {
    const { type, data, ts } = stored.line;
    if (type === 'trace.stop') {
      const [cause, count, id] = [textOf(data, 'cause'), integerOf(data, 'tcount'), textOf(data, 'trace_id')];
      this.#traceStopped.run(ts, cause, count, id, stored.host);
    }
    if (type !== 'trace.start') return;
    const capture = (data['capture'] ?? {}) as { readonly [what: string]: unknown };
    const row = rowOf(TRACES, stored, {
      captures_cmdlines: asType(capture['cmdlines'], 'boolean'),
      captures_network: asType(capture['network'], 'boolean'),
      captures_files: asType(capture['files'], 'boolean'),
      ended: null,
      end_cause: null,
      line_count: null,
    });
    if (row !== undefined) this.#trace.run(...Object.values(row));
  }
}

export function noChanges(): Changes {
  return { processes: new Set(), connections: new Set() };
}

/** SQLITE_FULL (https://www.sqlite.org/rescode.html#full). */
const FULL = 13;

/** Whether SQLite found no room: a full disk, or a store at its limit. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === FULL;
}
