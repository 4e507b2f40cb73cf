import { escapeForTerminal } from '../core/terminal-text.ts';
import type { TimelineRow } from '../forensics/case/timeline.ts';
import { fitCells } from './cells.ts';
import { momentOf } from './detail.ts';

/** What the timeline screen says beside its lines. */
export type CaseView = {
  readonly name: string;
  /** Of the packages in it, by digest. */
  readonly packages: ReadonlyMap<string, { readonly name: string; readonly verdict: 'trusted' | 'refused' }>;
  /** What questions run behind, in words. */
  readonly fence: string;
};

/** `2027-01-20 12:00:01.000` without year where there is little room. */
const TIME_COLUMNS = 23;
const SHORT_TIME_COLUMNS = 12;
const TYPE_COLUMNS = 18;
const HOST_COLUMNS = 12;
const ROOMY = 100;

/** The columns of a line of the list, each padded; the summary takes what is left. */
export function rowCells(row: TimelineRow, columns: number, glyph: string, ellipsis: string) {
  const isRoomy = columns >= ROOMY;
  const time = momentOf(row.ts).replace('T', ' ').replace('Z', '');
  const moment = isRoomy
    ? fitCells(time, TIME_COLUMNS, ellipsis)
    : fitCells(time.slice(11), SHORT_TIME_COLUMNS, ellipsis);
  const type = fitCells(`${glyph} ${row.type}`, TYPE_COLUMNS, ellipsis);
  const host = isRoomy ? `${fitCells(row.host, HOST_COLUMNS, ellipsis)} ` : '';
  const used = (isRoomy ? TIME_COLUMNS + HOST_COLUMNS + 1 : SHORT_TIME_COLUMNS) + TYPE_COLUMNS + 2;
  return {
    moment: `${moment} `,
    type: `${type} `,
    host,
    summary: fitCells(row.summary, Math.max(0, columns - used), ellipsis),
  };
}

/** A line of the list as plain text, for where there is no screen: one line, or a name with a line break forges others. */
export function plainRow(row: TimelineRow): string {
  return escapeForTerminal(`${momentOf(row.ts)}  ${row.host}  ${row.type}  ${row.summary}`.trimEnd());
}
