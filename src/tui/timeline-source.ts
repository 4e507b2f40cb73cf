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
  /** Rows whose line has this text, at most {@link MAX_FOUND}. */
  readonly search: (needle: string, signal: AbortSignal) => Promise<readonly number[]>;
  readonly text: (row: number) => Promise<DetailText | undefined>;
};

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
      const isRange = last - first === rows.length - 1;
      return readTimeline(await reader.query(isRange ? timelinePageSql(first, last) : timelineRowsSql(rows)));
    },
    async search(needle, signal) {
      const { rows } = await reader.query(timelineSearchSql(needle, MAX_FOUND), { signal });
      return rows.map(([row]) => Number(row));
    },
    async text(row) {
      const [found] = (await reader.query(timelineTextSql(row))).rows;
      if (found === undefined) return undefined;
      return { text: String(found[0]), leaf: String(found[1]), anchored: found[2] === 1 };
    },
  };
}
