import { useRef } from 'react';
import type { TimelineRow } from '../../forensics/case/timeline.ts';
import type { TimelineSource } from '../timeline-source.ts';
import { shownCount, type TimelineState } from '../timeline-state.ts';
import { useLatest } from './use-latest.ts';

/** Pages kept ready on either side of what is on the screen. */
const PREFETCH_PAGES = 2;

/**
 * The rows around what is on the screen, by their number. They are asked for page by page, two ahead: moving within a
 * page asks nothing.
 */
export function useTimelineRows(
  source: TimelineSource,
  state: TimelineState,
  onError: (error: unknown) => void,
): ReadonlyMap<number, TimelineRow> {
  const { top, height, found, needle, attempt } = state;
  const page = Math.floor(top / height);
  // What a search found lies apart, and each line takes as long as a page does: no more of them than are seen.
  const ahead = found === undefined ? PREFETCH_PAGES : 0;
  const from = Math.max(0, (page - ahead) * height);
  const to = Math.min(shownCount(state), (page + 2 + ahead) * height);
  const held = useRef<ReadonlyMap<number, TimelineRow>>(new Map());
  const shown = found === undefined ? 'all' : `with ${needle}`;
  const key = to > from ? `${attempt} ${from}-${to} ${shown}` : undefined;

  const load = async (): Promise<ReadonlyMap<number, TimelineRow>> => {
    const wanted = found?.slice(from, to) ?? Array.from({ length: to - from }, (_, i) => from + i);
    const missing = wanted.filter((row) => !held.current.has(row));
    const fresh = new Map((await source.rows(missing)).map((row) => [row.row, row]));
    // Only what is wanted now is kept: memory doesn't grow with the way through the case.
    const rows = wanted.flatMap((row) => held.current.get(row) ?? fresh.get(row) ?? []);
    held.current = new Map(rows.map((row) => [row.row, row]));
    return held.current;
  };
  return useLatest(key, load, onError)?.value ?? held.current;
}
