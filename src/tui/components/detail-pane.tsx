import { Box, Text } from 'ink';
import type { ReactElement } from 'react';
import { fitCells } from '../cells.ts';
import type { Pane } from '../layout.ts';
import type { Theme } from '../theme.ts';

type DetailProps = {
  readonly pane: Pane;
  readonly theme: Theme;
  readonly lines: readonly string[];
  /** The first line on the screen. */
  readonly top: number;
};

/** How many lines of the detail can't be seen at once: as far as it can be scrolled. */
export function hiddenLines(lines: readonly string[], { rows }: Pane): number {
  // One line of the pane tells that there is more.
  return lines.length <= rows ? 0 : lines.length - rows + 1;
}

/** The line under the cursor in full: a drawer below the list, or a pane beside it. */
export function DetailPane({ pane, theme, lines, top }: DetailProps): ReactElement {
  const hidden = hiddenLines(lines, pane);
  const from = Math.min(top, hidden);
  const above = from === 0 ? '' : `${from} above: K  `;
  const below = from === hidden ? '' : `${hidden - from} below: J`;
  const shown = hidden === 0 ? lines : lines.slice(from, from + pane.rows - 1);
  return (
    <Box flexDirection="column" width={pane.columns} height={pane.rows}>
      {shown.map((line, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
        <Text key={i} wrap="truncate">
          {fitCells(line, pane.columns, theme.ellipsis)}
        </Text>
      ))}
      {hidden === 0 ? null : (
        <Text dimColor wrap="truncate">
          {fitCells(`${theme.ellipsis} ${above}${below}`, pane.columns, theme.ellipsis)}
        </Text>
      )}
    </Box>
  );
}
