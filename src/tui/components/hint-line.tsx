import { Text } from 'ink';
import type { ReactElement } from 'react';
import { cellWidth, fitCells, tailCells } from '../cells.ts';
import type { Theme } from '../theme.ts';
import type { TimelineState } from '../timeline-state.ts';

const HINTS = 'j/k move  g/G first/last  / search  Enter detail  ? help  q quit';
const FOUND_HINTS = 'n/N next/previous  Esc all lines  / search again  Enter detail  ? help';
const HELP_HINTS = '? or Esc  back to the lines';

/** The last line: what is typed, what runs, what went wrong, or which keys there are. */
export function HintLine({
  state,
  columns,
  theme,
}: {
  readonly state: TimelineState;
  readonly columns: number;
  readonly theme: Theme;
}): ReactElement {
  const padded = (text: string) => fitCells(text, columns, theme.ellipsis);
  if (state.mode === 'typing') {
    const typed = tailCells(state.input, columns - cellWidth(`/${theme.bar}`));
    return <Text wrap="truncate">{padded(`/${typed}${theme.bar}`)}</Text>;
  }
  if (state.searching !== undefined) {
    return (
      <Text wrap="truncate">
        {padded(`searching ${Math.floor(state.searched * 100)} %  Esc stops  "${state.searching}"`)}
      </Text>
    );
  }
  if (state.problem !== undefined) {
    const again = state.hasFailed ? '; any key asks again' : '';
    return (
      <Text wrap="truncate" color={theme.bad}>
        {padded(`${theme.fail} ${state.problem}${again}`)}
      </Text>
    );
  }
  const hints = state.mode === 'help' ? HELP_HINTS : state.found === undefined ? HINTS : FOUND_HINTS;
  return (
    <Text wrap="truncate" dimColor>
      {padded(hints)}
    </Text>
  );
}
