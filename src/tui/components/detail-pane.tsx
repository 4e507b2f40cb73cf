import { Box, Text } from 'ink';
import type { ReactElement } from 'react';
import { fitCells } from '../cells.ts';
import type { Pane } from '../layout.ts';
import type { Theme } from '../theme.ts';

type DetailProps = { readonly pane: Pane; readonly theme: Theme; readonly lines: readonly string[] };

/** The line under the cursor in full: a drawer below the list, or a pane beside it. */
export function DetailPane({ pane, theme, lines }: DetailProps): ReactElement {
  const fits = lines.length <= pane.rows;
  const shown = fits
    ? lines
    : [...lines.slice(0, pane.rows - 1), `${theme.ellipsis} ${lines.length - pane.rows + 1} more`];
  return (
    <Box flexDirection="column" width={pane.columns} height={pane.rows}>
      {shown.map((line, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
        <Text key={i} wrap="truncate">
          {fitCells(line, pane.columns, theme.ellipsis)}
        </Text>
      ))}
    </Box>
  );
}
