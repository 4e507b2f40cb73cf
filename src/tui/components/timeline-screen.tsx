import { Box, Text, useApp, useInput, useWindowSize } from 'ink';
import { type ReactElement, useCallback, useEffect, useLayoutEffect, useReducer } from 'react';
import { messageOf } from '../../core/errors.ts';
import type { TimelineRow } from '../../forensics/case/timeline.ts';
import { fitCells } from '../cells.ts';
import { detailLines, momentOf } from '../detail.ts';
import { useLatest } from '../hooks/use-latest.ts';
import { useSearch } from '../hooks/use-search.ts';
import { useTimelineRows } from '../hooks/use-timeline-rows.ts';
import { layoutOf } from '../layout.ts';
import type { Theme } from '../theme.ts';
import type { TimelineSource } from '../timeline-source.ts';
import { initialTimeline, selectedRow, timelineReducer, visibleRows } from '../timeline-state.ts';
import type { CaseView } from '../view.ts';
import { DetailPane, hiddenLines } from './detail-pane.tsx';
import { HelpPane } from './help-pane.tsx';
import { HintLine } from './hint-line.tsx';
import { StatusLine } from './status-line.tsx';
import { TimelineList } from './timeline-list.tsx';

export type TimelineScreenProps = {
  readonly view: CaseView;
  readonly source: TimelineSource;
  /** Lines of the case. */
  readonly total: number;
  readonly theme: Theme;
};

/** Every line of a case in the order of time, and the one under the cursor in full. */
export function TimelineScreen({ view, source, total, theme }: TimelineScreenProps): ReactElement {
  const size = useWindowSize();
  const [state, dispatch] = useReducer(timelineReducer, total, (lines) =>
    initialTimeline(lines, layoutOf(size.columns, size.rows, false).list.rows),
  );
  const layout = layoutOf(size.columns, size.rows, state.showsDetail);
  const onError = useCallback((error: unknown) => dispatch({ kind: 'failed', reason: messageOf(error) }), []);

  const listRows = layout.list.rows;
  useLayoutEffect(() => dispatch({ kind: 'resized', height: listRows }), [listRows]);

  const { exit } = useApp();
  useEffect(() => {
    if (state.leaving !== undefined) exit(state.leaving);
  }, [state.leaving, exit]);

  useInput((input, key) => dispatch({ kind: 'pressed', input, key }));

  useSearch(source, state.searching, total, dispatch);
  const rows = useTimelineRows(source, state, onError);
  const selected = selectedRow(state);
  const current = selected === undefined ? undefined : rows.get(selected);
  const hasDetail = layout.isWide || state.showsDetail;
  const wanted = hasDetail && selected !== undefined ? `${selected} ${state.attempt}` : undefined;
  const text = useLatest(wanted, () => source.text(selected ?? 0), onError);
  const lines = text?.value === undefined || text.key !== wanted ? [] : detailLines(text.value, layout.detail.columns);

  const hidden = hiddenLines(lines, layout.detail);
  // Before any key can be pressed on what is drawn: a key that scrolls must not meet the size of the detail before.
  useLayoutEffect(() => dispatch({ kind: 'measured', hidden }), [hidden]);

  const empty = total === 0 ? 'The case has no lines yet: daemoneye case add' : '';
  const list = (
    <TimelineList
      pane={layout.list}
      theme={theme}
      visible={visibleRows(state)}
      rows={rows}
      selected={selected}
      empty={empty}
    />
  );
  const detail = <DetailPane pane={layout.detail} theme={theme} lines={lines} top={state.detailTop} />;
  const hasDrawer = !layout.isWide && layout.detail.rows > 0;
  return (
    <Box flexDirection="column" width={layout.columns} height={layout.rows}>
      {layout.hasTitle ? (
        <Text bold wrap="truncate">
          {fitCells(`DaemonEye  case ${view.name}  Timeline${dayOf(current)}`, layout.columns, theme.ellipsis)}
        </Text>
      ) : null}
      {state.mode === 'help' ? (
        <HelpPane pane={layout.body} theme={theme} />
      ) : layout.isWide ? (
        <Box>
          {list}
          <Text dimColor>{Array(layout.list.rows).fill(` ${theme.bar} `).join('\n')}</Text>
          {detail}
        </Box>
      ) : (
        <>
          {list}
          {hasDrawer ? <Text dimColor>{theme.rule.repeat(layout.columns)}</Text> : null}
          {hasDrawer ? detail : null}
        </>
      )}
      <StatusLine view={view} state={state} package={current?.package} columns={layout.columns} theme={theme} />
      {layout.hasHints ? <HintLine state={state} columns={layout.columns} theme={theme} /> : null}
    </Box>
  );
}

/** Lines show the time of day; which day it is, is told once. */
function dayOf(row: TimelineRow | undefined): string {
  return row === undefined ? '' : `  ${momentOf(row.ts).slice(0, 10)} UTC`;
}
