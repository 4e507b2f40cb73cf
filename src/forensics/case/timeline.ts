import { quoteText } from './columns-sql.ts';
import type { Answer, Cell } from './query-io.ts';

/**
 * The timeline of a case: every line, in the order of time. `rowid` numbers the lines in that order without gaps (see
 * load-sql.ts), so any page is found by BETWEEN, however many lines there are.
 */
export type TimelineRow = {
  /** Place in the timeline, from 0. */
  readonly row: number;
  /** Unix milliseconds. */
  readonly ts: number;
  readonly host: string;
  readonly type: string;
  readonly origin: string;
  readonly seq: number;
  /** Digest of the package that the line came in. */
  readonly package: string;
  readonly signed: boolean;
  /** What happened, in a line. Not escaped. */
  readonly summary: string;
};

export const TIMELINE_COUNT_SQL = 'SELECT count(*) FROM lines';

/** What a summary is made of, by name in `data`. */
const FIELDS = [
  'process_name',
  'process_pid',
  'argv_mask',
  'process_exit_code',
  'network_transport',
  'destination_ip',
  'destination_port',
  'file_path',
  'rule_severity',
  'rule_name',
  'rule_id',
  'trace_id',
  'cause',
  'reason',
  'action',
  'operator',
  'count',
  'channel',
  'origin',
  'size',
  'collector_name',
] as const;
type Field = (typeof FIELDS)[number];

const PATHS = FIELDS.map((name) => quoteText(`$.data.${name}`)).join(', ');
const COLUMNS = 'ts, host_id, event_type, log_origin, event_sequence, package, signed';
const VALUES = `list_transform(json_extract_string(text, [${PATHS}]), lambda value: left(value, 200))`;

/** Rows `from` to `to`, both included. */
export function timelinePageSql(from: number, to: number): string {
  return `SELECT rowid, ${COLUMNS}, ${VALUES} FROM lines WHERE rowid BETWEEN ${from} AND ${to} ORDER BY rowid`;
}

/** Rows so near each other that one look finds them all: DuckDB unpacks lines by this many. */
const NEAR_ROWS = 2048;
/** Looks of one question; each takes milliseconds, also in tens of millions of lines. */
const MAX_LOOKS = 24;

/**
 * The questions that bring these rows: a page of what a search found. Each row is looked for within a range, since
 * `rowid IN (…)` alone unpacks the text of every line there is.
 * @param rows ascending
 */
export function timelineRowsSql(rows: readonly number[]): readonly string[] {
  const looks: number[][] = [];
  for (const row of rows) {
    const look = looks.at(-1);
    if (look?.[0] !== undefined && row - look[0] < NEAR_ROWS) look.push(row);
    else looks.push([row]);
  }
  const batches = Array.from({ length: Math.ceil(looks.length / MAX_LOOKS) }, (_, i) => {
    return looks.slice(i * MAX_LOOKS, (i + 1) * MAX_LOOKS);
  });
  return batches.map((batch) => {
    const found = batch.map((look) => {
      const within = `rowid BETWEEN ${look[0]} AND ${look.at(-1)} AND rowid IN (${look.join(', ')})`;
      return `SELECT rowid AS place, ${COLUMNS}, text FROM lines WHERE ${within}`;
    });
    return `SELECT place, ${COLUMNS}, ${VALUES} FROM (${found.join(' UNION ALL ')}) ORDER BY place`;
  });
}

/** Rows `from` to `to`, both included, in which a text occurs, whatever the case of its letters. */
export function timelineSearchSql(needle: string, from: number, to: number, limit: number): string {
  return `SELECT rowid FROM lines WHERE rowid BETWEEN ${from} AND ${to}
    AND contains(lower(text), lower(${quoteText(needle)})) ORDER BY rowid LIMIT ${limit}`;
}

/** The line itself. */
export function timelineTextSql(row: number): string {
  return `SELECT text, leaf, anchored FROM lines WHERE rowid = ${row}`;
}

/** The rows of an answer to a question above. */
export function readTimeline({ rows }: Answer): readonly TimelineRow[] {
  return rows.map(([row, ts, host, type, origin, seq, digest, signed, values]) => ({
    row: Number(row),
    ts: Number(ts),
    host: String(host),
    type: String(type),
    origin: String(origin),
    seq: Number(seq),
    package: String(digest),
    signed: signed === 1,
    summary: summarise(String(type), fieldsOf(values)),
  }));
}

type Fields = { readonly [name in Field]?: string };

function fieldsOf(values: Cell | undefined): Fields {
  const list = typeof values === 'string' ? (JSON.parse(values) as (string | null)[]) : [];
  return Object.fromEntries(FIELDS.flatMap((name, i) => (list[i] == null ? [] : [[name, list[i]]])));
}

/** What a line tells, in a few words. Not escaped. */
export function summarise(type: string, fields: Fields): string {
  const process = words(fields.process_name, fields.process_pid && `[${fields.process_pid}]`);
  const [noun] = type.split('.');
  switch (noun) {
    case 'process':
      return words(process, fields.argv_mask, fields.process_exit_code && `code ${fields.process_exit_code}`);
    case 'network':
      return words(
        process,
        fields.network_transport,
        fields.destination_ip && `${fields.destination_ip}:${fields.destination_port ?? '?'}`,
      );
    case 'file':
      return words(process, fields.file_path);
    case 'alert':
      return words(fields.rule_severity, fields.rule_name ?? fields.rule_id, process, fields.reason);
    case 'trace':
      return words(fields.trace_id, fields.cause, fields.reason);
    case 'operator':
      return words(fields.operator, fields.action, fields.reason);
    default:
      return words(
        fields.collector_name ?? fields.channel ?? fields.origin,
        fields.cause,
        fields.count ?? fields.size,
        fields.reason,
      );
  }
}

function words(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' ');
}
