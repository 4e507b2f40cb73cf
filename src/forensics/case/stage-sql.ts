import { quoteName } from '../../core/tables.ts';
import { dataStructure, quoteText } from './columns-sql.ts';

/**
 * The SQL that reads verified lines into the table `staged`: one row a line with its frame, the line itself, where it
 * came from, and `place`, which orders the lines of all logs with each log's own order kept. What is made on the way is
 * temporary: it is never compressed nor kept, and leaves no holes in the file. Pure.
 */

/** One log of one package. */
export type LogSource = {
  /** Digest of the package. */
  readonly package: string;
  readonly host: string;
  readonly origin: string;
  /** Absolute path of lines.ndjson in our own, verified copy. */
  readonly lines: string;
  /** Leaf hashes of the last lines of each run, which the range proof names. */
  readonly heads: readonly { readonly seq: number; readonly leaf: string }[];
  /** What is not shown, [from, to) in seq. */
  readonly withheld: readonly { readonly from: number; readonly to: number }[];
  /** When the package was made, in Unix milliseconds. */
  readonly createdAt: number;
};

export function createStagingSql(): readonly string[] {
  return [
    `CREATE TEMP TABLE staged (place BIGINT, package VARCHAR, host VARCHAR, origin VARCHAR, seq BIGINT, ts BIGINT, mono BIGINT,
      boot VARCHAR, type VARCHAR, actor_type VARCHAR, actor_id VARCHAR, prev VARCHAR, signed BOOLEAN, text VARCHAR, d ${structType(dataStructure())})`,
    'CREATE TEMP TABLE heads (place BIGINT, leaf VARCHAR)',
    `CREATE TEMP TABLE withheld (package VARCHAR, host VARCHAR, origin VARCHAR, ts BIGINT,
      from_sequence BIGINT, to_sequence BIGINT)`,
  ];
}

/** Orders lines of several logs: no log has 2^40 lines. */
const LOG_BITS = 40;

/** The number of the log that a place lies in. */
export const LOG_OF_PLACE = `place >> ${LOG_BITS}`;

/** A line, for json_transform; what has another type than it should reads as NULL. */
function lineStructure(): string {
  return JSON.stringify({
    actor: { id: 'VARCHAR', type: 'VARCHAR' },
    boot: 'VARCHAR',
    data: dataStructure(),
    kid: 'VARCHAR',
    mono: 'BIGINT',
    prev: 'VARCHAR',
    seq: 'BIGINT',
    ts: 'BIGINT',
    type: 'VARCHAR',
  });
}

/** The same as a type of SQL. */
function structType(structure: unknown): string {
  if (typeof structure === 'string') return structure;
  const members = Object.entries(structure as object).map(([name, type]) => `${quoteName(name)} ${structType(type)}`);
  return `STRUCT(${members.join(', ')})`;
}

/** Canonical JSON has no control character, so a line is one column of a "CSV" that is divided by one. */
const AS_LINES =
  "columns = {text: 'VARCHAR'}, delim = chr(1), quote = '', escape = '', header = false, auto_detect = false, max_line_size = 131072";

/**
 * Reads one log into `staged`, each line as it stands.
 * @param number of the log among all of the case
 */
export function stageLogSql(log: LogSource, number: number): readonly string[] {
  const first = number * 2 ** LOG_BITS;
  const heads = log.heads.map(({ seq, leaf }) => `(${first + seq}, ${quoteText(leaf)})`);
  const texts = [log.package, log.host, log.origin].map(quoteText).join(', ');
  const withheld = log.withheld.map(({ from, to }) => `(${texts}, ${log.createdAt}, ${from}, ${to})`);
  return [
    ...(heads.length === 0 ? [] : [`INSERT INTO heads VALUES ${heads.join(', ')}`]),
    ...(withheld.length === 0 ? [] : [`INSERT INTO withheld VALUES ${withheld.join(', ')}`]),
    `INSERT INTO staged SELECT ${first} + f.seq, ${texts}, f.seq, f.ts, f.mono, f.boot, f.type, f.actor.type, f.actor.id,
        f.prev, f.kid IS NOT NULL, text, f.data
      FROM (SELECT json_transform(text, ${quoteText(lineStructure())}) AS f, text
        FROM read_csv(${quoteText(log.lines)}, ${AS_LINES}))`,
  ];
}

/**
 * A line's leaf hash is the `prev` of the line after it; of the last line of a run, what the range proof says. All of
 * that was checked when the package was verified.
 */
export const LEAVES_SQL = `CREATE TEMP TABLE leaves AS
  SELECT s.place, s.origin, s.seq, s.package, coalesce(heads.leaf, after.prev) AS leaf
  FROM staged s LEFT JOIN heads ON heads.place = s.place LEFT JOIN staged after ON after.place = s.place + 1`;

/** Lines that two packages both have: told apart by their hash, they are a fork. Returns at most one row. */
export const FORK_SQL = `SELECT a.origin, a.seq, a.package, b.package
  FROM leaves a JOIN leaves b ON a.origin = b.origin AND a.seq = b.seq AND a.leaf <> b.leaf AND a.place < b.place
  ORDER BY a.origin, a.seq LIMIT 1`;

/** Lines that two packages both have stand once, as the first told them. */
export const UNIQUE_SQL = `DELETE FROM staged WHERE place IN (
  SELECT b.place FROM leaves a JOIN leaves b ON a.origin = b.origin AND a.seq = b.seq AND a.place < b.place)`;
