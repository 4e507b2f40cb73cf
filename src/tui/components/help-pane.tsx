import { Box, Text } from 'ink';
import type { ReactElement } from 'react';
import { fitCells } from '../cells.ts';
import { KEY_HELP } from '../keys.ts';
import type { Pane } from '../layout.ts';

const KEY_COLUMNS = 15;

/** Every key and what it does. */
export function HelpPane({ pane }: { readonly pane: Pane }): ReactElement {
  return (
    <Box flexDirection="column" width={pane.columns} height={pane.rows}>
      {KEY_HELP.slice(0, pane.rows).map(([keys, does]) => (
        <Text key={keys} wrap="truncate">
          {fitCells(`  ${fitCells(keys, KEY_COLUMNS)}${does}`, pane.columns)}
        </Text>
      ))}
    </Box>
  );
}
