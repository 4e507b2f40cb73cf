import type { CaseReader } from '../forensics/case/query-io.ts';
import {
  readTimeline,
  TIMELINE_COUNT_SQL,
  type TimelineRow,
  timelinePageSql,
  timelineRowsSql,
  timelineSearchSql,
  timelineTextSql,
} from '../forensics/case/timeline.ts';
import type { DetailText } from './detail.ts';

/** Where the timeline screen gets its lines from. */
export type TimelineSource = {
  readonly count: () => Promise<number>;
  /** These rows, ascending; those next to each other are found by their range. */
  readonly rows: (rows: readonly number[]) => Promise<readonly TimelineRow[]>;
  /** Rows whose line has this text, at most {@link MAX_FOUND}; other questions are answered between its parts. */
  readonly search: (needle: string, options: SearchOptions) => Promise<readonly number[]>;
  readonly text: (row: number) => Promise<DetailText | undefined>;
};

export type SearchOptions = {
  /** Of all lines, which may be none. */
  readonly total: number;
  readonly signal: AbortSignal;
  /** Told the share of the lines that were read, from 0 to 1. */
  readonly onProgress: (share: number) => void;
};

/** Lines read for a search in one question: well under a second, so that no case is too large for the deadline. */
const SEARCH_ROWS = 250_000;
/** More than anybody looks through, and still a small answer. */
export const MAX_FOUND = 100_000;
/** What a sandbox for this source must be allowed to answer. */
export const SOURCE_LIMITS = { rows: MAX_FOUND, cells: 2 * MAX_FOUND, bytes: 16 * 1024 * 1024 };

export function createTimelineSource(reader: CaseReader): TimelineSource {
  return {
    async count() {
      const { rows } = await reader.query(TIMELINE_COUNT_SQL);
      return Number(rows[0]?.[0] ?? 0);
    },
    async rows(rows) {
      const [first] = rows;
      const last = rows.at(-1);
      if (first === undefined || last === undefined) return [];
      if (last - first === rows.length - 1) return readTimeline(await reader.query(timelinePageSql(first, last)));
      const found: TimelineRow[] = [];
      for (const sql of timelineRowsSql(rows)) found.push(...readTimeline(await reader.query(sql)));
      return found;
    },
    async search(needle, { total, signal, onProgress }) {
      const found: number[] = [];
      for (let from = 0; from < total && found.length < MAX_FOUND; from += SEARCH_ROWS) {
        if (from > 0) onProgress(from / total);
        const sql = timelineSearchSql(needle, from, from + SEARCH_ROWS - 1, MAX_FOUND - found.length);
        const { rows } = await reader.query(sql, { signal });
        for (const [row] of rows) found.push(Number(row));
      }
      return found;
    },
    async text(row) {
      const [found] = (await reader.query(timelineTextSql(row))).rows;
      if (found === undefined) return undefined;
      return { text: String(found[0]), leaf: String(found[1]), anchored: found[2] === 1 };
    },
  };
}
