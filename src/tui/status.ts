import { cellWidth, cutCells, fitCells } from './cells.ts';
import type { Theme } from './theme.ts';
import { MAX_FOUND } from './timeline-source.ts';
import { selectedRow, shownCount, type TimelineState } from './timeline-state.ts';
import type { CaseView } from './view.ts';

/** What the status line says: the verdict, and the rest. Together exactly as many columns as there are. Pure. */
export type Status = {
  readonly verdict: string;
  /** Undefined: nothing to praise or to warn of. */
  readonly isGood: boolean | undefined;
  readonly rest: string;
};

/** A name is cut no further than this; what comes after it is. */
const MIN_NAME = 6;

/**
 * @param digest of the package that the line under the cursor came in; undefined while that line is not here yet, and
 *   then nothing is said about it
 */
export function statusOf(
  view: CaseView,
  state: TimelineState,
  digest: string | undefined,
  columns: number,
  theme: Theme,
): Status {
  const held = digest === undefined ? undefined : view.packages.get(digest);
  const isGood = digest === undefined ? undefined : held?.verdict === 'trusted';
  const verdict = cutCells(verdictWords(view, state, digest, theme), columns, theme.ellipsis);

  const place = state.total === 0 ? 0 : state.selected + 1;
  const first = state.found?.length === MAX_FOUND ? 'first ' : '';
  const always = ['masked', `line ${place}, ${first}${shownCount(state)} / ${state.total} shown`];
  const more = [...(state.found === undefined ? [] : [`/${state.needle}`]), view.fence];
  const separator = ` ${theme.bar} `;
  // A long name must not push out how much is shown: that is how lines would be hidden. What follows may be one `…`.
  const room = columns - cellWidth([verdict, '', ...always].join(separator) + theme.ellipsis);
  const name = cutCells(held?.name ?? view.name, Math.max(MIN_NAME, room), theme.ellipsis);
  const rest = ['', name, ...always, ...more].join(separator);
  return { verdict, isGood, rest: fitCells(rest, columns - cellWidth(verdict), theme.ellipsis) };
}

function verdictWords(view: CaseView, state: TimelineState, digest: string | undefined, theme: Theme): string {
  if (digest !== undefined) {
    const verdict = view.packages.get(digest)?.verdict;
    return `${verdict === 'trusted' ? theme.pass : theme.fail} ${verdict ?? 'unknown package'}`;
  }
  if (view.packages.size === 0) return 'no package';
  return selectedRow(state) === undefined ? 'no line' : theme.ellipsis;
}
