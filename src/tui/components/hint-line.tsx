import { Text } from 'ink';
import type { ReactElement } from 'react';
import { fitCells } from '../cells.ts';
import type { Theme } from '../theme.ts';
import type { TimelineState } from '../timeline-state.ts';

const HINTS = 'j/k move  g/G first/last  / search  Enter detail  ? help  q quit';

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
  if (state.mode === 'typing') return <Text>{fitCells(`/${state.input}${theme.bar}`, columns, theme.ellipsis)}</Text>;
  if (state.searching !== undefined) {
    return (
      <Text>
        {fitCells(`searching for "${state.searching}"${theme.ellipsis} Esc stops it`, columns, theme.ellipsis)}
      </Text>
    );
  }
  if (state.problem !== undefined) {
    return <Text color={theme.bad}>{fitCells(`${theme.fail} ${state.problem}`, columns, theme.ellipsis)}</Text>;
  }
  return <Text dimColor>{fitCells(HINTS, columns, theme.ellipsis)}</Text>;
}
