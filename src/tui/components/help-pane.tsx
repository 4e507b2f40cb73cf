import { Box, Text } from 'ink';
import type { ReactElement } from 'react';
import { fitCells } from '../cells.ts';
import { KEY_HELP } from '../keys.ts';
import type { Pane } from '../layout.ts';
import type { Theme } from '../theme.ts';

const KEY_COLUMNS = 15;

/** Every key and what it does. */
export function HelpPane({ pane, theme }: { readonly pane: Pane; readonly theme: Theme }): ReactElement {
  const lines = KEY_HELP.map(([keys, does]) => `  ${fitCells(keys, KEY_COLUMNS)}${does}`);
  const more = `  ${theme.ellipsis} ${lines.length - pane.rows + 1} more, on a terminal with more lines`;
  const shown = lines.length <= pane.rows ? lines : [...lines.slice(0, pane.rows - 1), more];
  return (
    <Box flexDirection="column" width={pane.columns} height={pane.rows}>
      {shown.map((line) => (
        <Text key={line} wrap="truncate">
          {fitCells(line, pane.columns, theme.ellipsis)}
        </Text>
      ))}
    </Box>
  );
}
