import { createTableSql, createViewSql, tablesIn, viewsIn } from '../../core/tables.ts';
import { ACTION, type Expressions, linesOf, required, selectList, tableOf, typesOf } from './columns-sql.ts';
import { connectionsSql } from './connection-sql.ts';
import { processesSql } from './process-sql.ts';

/**
 * The SQL that makes the tables of a case from `staged`. Pure. A line whose data doesn't fit a table is in `lines` only.
 */

/** Empty tables and the views over them. */
export function schemaSql(): readonly string[] {
  return [
    ...tablesIn('case').map((table) => createTableSql(table, 'duckdb', 'case')),
    ...viewsIn('case').map(createViewSql),
  ];
}

/** All that fills the tables, in this order; afterwards the staging tables are to be dropped. */
export function loadSql(): readonly string[] {
  return [
    linesSql(),
    rowsSql('process_events', { event_action: ACTION, process_command_line: 'd.argv_mask' }),
    ...processesSql(),
    ...connectionsSql(),
    filesSql(),
    alertsSql(),
    tracesSql(),
    rowsSql('operators', { event_action: ACTION }),
    rowsSql('gaps', { from_sequence: 'NULL', to_sequence: 'NULL' }),
    withheldSql(),
  ];
}

/** In the order of the timeline, so that `rowid` is the row of a line in it, without gaps. */
function linesSql(): string {
  const expressions: Expressions = {
    mono: 's.mono',
    event_type: 's.type',
    actor_type: 's.actor_type',
    actor_id: 's.actor_id',
    leaf: 'leaves.leaf',
    signed: 's.signed',
    anchored: 'coalesce(s.seq < anchors.size, false)',
    text: 's.text',
  };
  return `INSERT INTO lines BY NAME
    WITH anchors AS (
      SELECT d.origin AS origin, max(d.size) AS size FROM ${linesOf(['log.anchor'])}
      WHERE d.origin <> s.origin GROUP BY d.origin)
    SELECT ${selectList(tableOf('lines'), expressions)}
    FROM staged s JOIN leaves ON leaves.place = s.place LEFT JOIN anchors ON anchors.origin = s.origin
    ORDER BY s.ts, s.place`;
}

/** A table with one row an event, each told by its line alone. */
function rowsSql(name: string, expressions: Expressions): string {
  const table = tableOf(name);
  const types = typesOf(table);
  return `INSERT INTO ${name} BY NAME SELECT * FROM (SELECT ${selectList(table, expressions)}
    FROM ${linesOf(types)} ORDER BY s.place) WHERE ${required(table)}`;
}

function filesSql(): string {
  const table = tableOf('files');
  const list = selectList(table, {
    event_action: ACTION,
    process_executable: 'p.process_executable',
    process_command_line: 'p.argv_mask',
  });
  return `INSERT INTO files BY NAME SELECT * FROM (SELECT ${list} FROM ${linesOf(typesOf(table))}
    LEFT JOIN processes p ON p.entity = d.entity ORDER BY s.place) WHERE ${required(table)}`;
}

function alertsSql(): string {
  const table = tableOf('alerts');
  const list = selectList(table, {
    count: 'coalesce(told.hits, 1)',
    state: "coalesce(told.state, 'open')",
    resolution: 'told.resolution',
  });
  return `INSERT INTO alerts BY NAME SELECT * FROM (
    WITH told AS (SELECT d.alert_id AS alert_id, max(d.count) AS hits,
      arg_max(CASE type WHEN 'alert.closed' THEN 'closed' WHEN 'alert.acknowledged' THEN 'acknowledged' END, place) AS state,
      arg_max(d.resolution, place) AS resolution
      FROM staged WHERE type IN ('alert.repeated', 'alert.acknowledged', 'alert.closed') GROUP BY 1)
    SELECT ${list} FROM ${linesOf(['alert.raised'])} LEFT JOIN told ON told.alert_id = d.alert_id ORDER BY s.place
    ) WHERE ${required(table)} QUALIFY row_number() OVER (PARTITION BY alert_id) = 1`;
}

function tracesSql(): string {
  const table = tableOf('traces');
  const list = selectList(table, {
    captures_cmdlines: 'd.capture.cmdlines',
    captures_network: 'd.capture.network',
    captures_files: 'd.capture.files',
    ended: 'stops.ended',
    end_cause: 'stops.cause',
    line_count: 'stops.tcount',
  });
  return `INSERT INTO traces BY NAME SELECT * FROM (
    WITH stops AS (SELECT host, d.trace_id AS trace_id, arg_max(ts, place) AS ended,
      arg_max(d.cause, place) AS cause, arg_max(d.tcount, place) AS tcount
      FROM staged WHERE type = 'trace.stop' GROUP BY 1, 2)
    SELECT ${list} FROM ${linesOf(['trace.start'])}
    LEFT JOIN stops ON stops.trace_id = d.trace_id AND stops.host = s.host ORDER BY s.place
    ) WHERE ${required(table)} QUALIFY row_number() OVER (PARTITION BY trace_id, host_id) = 1`;
}

function withheldSql(): string {
  return `INSERT INTO gaps BY NAME SELECT ts, host AS host_id, origin AS log_origin, package, 'withheld' AS cause,
    to_sequence - from_sequence AS count, from_sequence, to_sequence, 'not shown in the package' AS reason FROM withheld
    ORDER BY host, origin, from_sequence`;
}
