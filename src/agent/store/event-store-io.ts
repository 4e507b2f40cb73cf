import { type Column, columnsIn, findTable, quoteName } from '../../core/tables.ts';
import { parseLine } from '../../ledger/line.ts';
import type { AlertRecord } from '../alerts/record.ts';
import { alertRecord } from '../alerts/record.ts';
import { STORE_AGE_MS, STORE_BYTES } from '../format.ts';
import { type Changes, Fold, noChanges } from './fold-io.ts';
import { integerOf, isType, type StoredLine, textOf } from './rows.ts';
import { type Answered, StoreDatabase } from './store-database-io.ts';

/** A line of a log, as it came. */
export type IncomingLine = { readonly seq: number; readonly line: Uint8Array; readonly command?: string | undefined };

/** A hit that later hits of the same key count towards, until the window of its rule has passed. */
export type AlertWindow = {
  readonly alertId: string;
  readonly raised: number;
  readonly count: number;
};

export type ProcessBrief = {
  readonly entity: string;
  readonly process_pid: number;
  readonly process_name: string | null;
  readonly parent_entity: string | null;
  readonly process_start: number | null;
};

/** The agent's own tables; questions can't see them. */
const OWN_TABLES = `
  CREATE TABLE positions (log_origin TEXT PRIMARY KEY, next_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE trace_lines (trace_id TEXT NOT NULL, log_origin TEXT NOT NULL, event_sequence INTEGER NOT NULL,
    PRIMARY KEY (trace_id, log_origin, event_sequence)) STRICT, WITHOUT ROWID;
  CREATE TABLE alert_records (alert_id TEXT PRIMARY KEY, event_sequence INTEGER NOT NULL, record TEXT NOT NULL) STRICT;
  CREATE TABLE alert_windows (rule_id TEXT NOT NULL, key TEXT NOT NULL, alert_id TEXT NOT NULL, raised INTEGER NOT NULL,
    count INTEGER NOT NULL, PRIMARY KEY (rule_id, key)) STRICT, WITHOUT ROWID;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;`;

/**
 * `events.db`: what the logs say, as tables. Nothing in it is the only copy: it is the fold of the agent's and the
 * collectors' lines, so after a crash it takes up where it was, and without it, it is made again. Arguments are masked.
 */
export class EventStore implements Disposable {
  readonly path: string;
  readonly #database: StoreDatabase;
  readonly #fold: Fold;

  /** @throws AgentError STORE_VERSION or STORE_DAMAGED; DurableError */
  constructor(path: string) {
    this.path = path;
    this.#database = new StoreDatabase(path, OWN_TABLES);
    this.#fold = new Fold(this.#database.connection, false);
  }

  /** The first line of a log that is not in the store. */
  position(origin: string): number {
    return Number(this.#database.one('SELECT next_seq FROM positions WHERE log_origin = ?', origin)?.['next_seq'] ?? 0);
  }

  /**
   * Takes in lines of one log, in order; those it has already are passed over. Durable against the end of this process
   * when it returns.
   * @returns what is new, and the lines parsed
   * @throws LedgerError for what is not a line; nothing is taken in then
   */
  take(host: string, origin: string, lines: readonly IncomingLine[]): { changes: Changes; taken: StoredLine[] } {
    const changes = noChanges();
    const next = this.position(origin);
    const taken = lines
      .filter(({ seq }) => seq >= next)
      .map(({ line, command }): StoredLine => ({ host, origin, line: parseLine(line), command }));
    const last = taken.at(-1);
    if (last === undefined) return { changes, taken };
    this.#database.transaction(() => {
      for (const stored of taken) {
        this.#fold.apply(stored, changes);
        this.#own(stored);
      }
      this.#database.run(
        'INSERT INTO positions VALUES (?, ?) ON CONFLICT DO UPDATE SET next_seq = excluded.next_seq',
        origin,
        last.line.seq + 1,
      );
    });
    return { changes, taken };
  }

  #own({ line, origin }: StoredLine): void {
    const { data, seq, ts } = line;
    const trace = Object.hasOwn(data, 'tseq') ? textOf(data, 'trace_id') : null;
    if (trace !== null)
      this.#database.run('INSERT INTO trace_lines VALUES (?, ?, ?) ON CONFLICT DO NOTHING', trace, origin, seq);
    const id = textOf(data, 'alert_id');
    if (isType(line, 'alert.raised')) {
      const record = alertRecord(line, origin, this.seenAt(textOf(data, 'entity')));
      this.#database.run(
        'INSERT INTO alert_records VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        id,
        seq,
        JSON.stringify(record),
      );
      this.#database.run(
        'INSERT INTO alert_windows VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET alert_id = excluded.alert_id, raised = excluded.raised, count = 1',
        textOf(data, 'rule_id'),
        textOf(data, 'dedup_key') ?? '',
        id,
        ts,
      );
    }
    if (isType(line, 'alert.repeated')) {
      this.#database.run('UPDATE alert_windows SET count = ? WHERE alert_id = ?', integerOf(data, 'count'), id);
    }
  }

  window(ruleId: string, key: string): AlertWindow | undefined {
    const row = this.#database.one(
      'SELECT alert_id, raised, count FROM alert_windows WHERE rule_id = ? AND key = ?',
      ruleId,
      key,
    );
    if (row === undefined) return undefined;
    return { alertId: String(row['alert_id']), raised: Number(row['raised']), count: Number(row['count']) };
  }

  process(entity: string): ProcessBrief | undefined {
    return this.#database.one(
      'SELECT entity, process_pid, process_name, parent_entity, process_start FROM processes WHERE entity = ?',
      entity,
    ) as ProcessBrief | undefined;
  }

  /** The line that told of a process' program, the newest if it became another, and when that program started. */
  seenAt(entity: string | null): { origin: string; seq: number; since: number | undefined } | undefined {
    if (entity === null) return undefined;
    const row = this.#database.one(
      `SELECT log_origin, event_sequence, ts, event_action FROM process_events WHERE entity = ? AND event_action IN ('start', 'exec')
       ORDER BY rowid DESC LIMIT 1`,
      entity,
    );
    if (row !== undefined) {
      const start = row['event_action'] === 'start' ? this.process(entity)?.process_start : undefined;
      return { ...reference(row), since: start ?? Number(row['ts']) };
    }
    // It ran before anybody watched: when it started says nothing about how long an alert took.
    const first = this.#database.one('SELECT log_origin, event_sequence FROM processes WHERE entity = ?', entity);
    return first === undefined ? undefined : { ...reference(first), since: undefined };
  }

  /** The newest connection of a process. */
  connectionAt(entity: string): { origin: string; seq: number } | undefined {
    const row = this.#database.one(
      'SELECT log_origin, event_sequence FROM connections WHERE entity = ? ORDER BY ts DESC LIMIT 1',
      entity,
    );
    return row === undefined ? undefined : reference(row);
  }

  /** Whether a column that is no secret has this value somewhere: then showing it tells nothing new. */
  holds(table: string, column: string, value: string | number): boolean {
    const found = columnOf(table, column);
    if (found === undefined) return false;
    const name = findTable(table)?.like ?? table;
    return (
      this.#database.one(`SELECT 1 AS found FROM ${quoteName(name)} WHERE ${quoteName(column)} = ? LIMIT 1`, value) !==
      undefined
    );
  }

  alert(id: string): AlertRecord | undefined {
    const row = this.#database.one(`${ALERT_SQL} WHERE r.alert_id = ?`, id);
    return row === undefined ? undefined : presentAlert(row);
  }

  /** Newest first. */
  alerts(limit: number): AlertRecord[] {
    return this.#database.all(`${ALERT_SQL} ORDER BY r.event_sequence DESC LIMIT ?`, limit).map(presentAlert);
  }

  /** Oldest first: those behind a line of the agent's log. */
  alertsAfter(seq: number): AlertRecord[] {
    return this.#database
      .all(`${ALERT_SQL} WHERE r.event_sequence > ? ORDER BY r.event_sequence`, seq)
      .map(presentAlert);
  }

  /** The lines of a trace, for its export. */
  traceLines(traceId: string): { origin: string; seq: number }[] {
    return this.#database
      .all(
        'SELECT log_origin, event_sequence FROM trace_lines WHERE trace_id = ? ORDER BY log_origin, event_sequence',
        traceId,
      )
      .map(reference);
  }

  number(name: string): number | undefined {
    const row = this.#database.one('SELECT value FROM meta WHERE name = ?', name);
    return row === undefined ? undefined : Number(row['value']);
  }

  setNumber(name: string, value: number): void {
    this.#database.run('INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value', name, value);
  }

  counts(): { readonly [table: string]: number } {
    const tables = ['processes', 'process_events', 'connections', 'files', 'alerts', 'traces'];
    const count = (table: string) => Number(this.#database.one(`SELECT count(*) AS n FROM ${table}`)?.['n']);
    return Object.fromEntries(tables.map((table) => [table, count(table)]));
  }

  get bytes(): number {
    return this.#database.bytes;
  }

  /** What is too old goes; when there is too much, the oldest events first. The logs keep their lines. */
  prune(now: number, age = STORE_AGE_MS, bytes = STORE_BYTES): void {
    this.#database.transaction(() => this.#pruneBefore(now - age));
    for (let rounds = 0; this.bytes > bytes && rounds < 16; rounds += 1) {
      const oldest = Number(this.#database.one('SELECT min(ts) AS ts FROM process_events')?.['ts'] ?? now);
      this.#database.transaction(() => this.#pruneBefore(oldest + (now - oldest) / 4));
    }
  }

  #pruneBefore(before: number): void {
    const ts = Math.floor(before);
    this.#database.run('DELETE FROM process_events WHERE ts < ?', ts);
    this.#database.run('DELETE FROM files WHERE ts < ?', ts);
    this.#database.run('DELETE FROM connections WHERE connection_end < ?', ts);
    this.#database.run('DELETE FROM processes WHERE process_end < ?', ts);
    this.#database.run(`DELETE FROM trace_lines WHERE trace_id IN (SELECT trace_id FROM traces WHERE ended < ?)`, ts);
    this.#database.run('DELETE FROM traces WHERE ended < ?', ts);
    this.#database.run('DELETE FROM alert_records WHERE alert_id IN (SELECT alert_id FROM alerts WHERE ts < ?)', ts);
    this.#database.run('DELETE FROM alert_windows WHERE raised < ?', ts);
    this.#database.run('DELETE FROM alerts WHERE ts < ?', ts);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

const ALERT_SQL = 'SELECT r.record, a.count, a.state FROM alert_records r JOIN alerts a ON a.alert_id = r.alert_id';

function presentAlert({ record, count, state }: Answered): AlertRecord {
  return { ...(JSON.parse(String(record)) as AlertRecord), count: Number(count), state: String(state) };
}

function reference(row: Answered): { origin: string; seq: number } {
  return { origin: String(row['log_origin']), seq: Number(row['event_sequence']) };
}

/** A column of the contract that is nobody's secret. */
function columnOf(table: string, column: string): Column | undefined {
  const found = findTable(table);
  const columns = found === undefined ? [] : columnsIn(found, 'agent');
  return columns.find(({ name, clear }) => name === column && clear === undefined);
}
