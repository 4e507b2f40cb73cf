import { Box, Text } from 'ink';
import type { ReactElement } from 'react';
import type { TimelineRow } from '../../forensics/case/timeline.ts';
import { fitCells } from '../cells.ts';
import type { Pane } from '../layout.ts';
import type { Theme } from '../theme.ts';
import { rowCells } from '../view.ts';

type ListProps = {
  readonly pane: Pane;
  readonly theme: Theme;
  /** The rows on the screen, top to bottom. */
  readonly visible: readonly number[];
  readonly rows: ReadonlyMap<number, TimelineRow>;
  readonly selected: number | undefined;
  /** Said where there is nothing to show. */
  readonly empty: string;
};

/** The visible lines of the timeline, and only those. */
export function TimelineList({ pane, theme, visible, rows, selected, empty }: ListProps): ReactElement {
  return (
    <Box flexDirection="column" width={pane.columns} height={pane.rows}>
      {visible.length === 0 ? (
        <Text wrap="truncate" dimColor>
          {fitCells(empty, pane.columns, theme.ellipsis)}
        </Text>
      ) : null}
      {visible.slice(0, pane.rows).map((number) => (
        <TimelineLine
          key={number}
          row={rows.get(number)}
          columns={pane.columns}
          theme={theme}
          isSelected={number === selected}
        />
      ))}
    </Box>
  );
}

type LineProps = {
  readonly row: TimelineRow | undefined;
  readonly columns: number;
  readonly theme: Theme;
  readonly isSelected: boolean;
};

function TimelineLine({ row, columns, theme, isSelected }: LineProps): ReactElement {
  const cursor = isSelected ? `${theme.cursor} ` : '  ';
  if (row === undefined)
    return (
      <Text wrap="truncate" dimColor>
        {fitCells(`${cursor}${theme.ellipsis}`, columns)}
      </Text>
    );
  const cells = rowCells(row, columns - cursor.length, theme.glyph(row.type), theme.ellipsis);
  return (
    <Text wrap="truncate" inverse={isSelected}>
      {cursor}
      <Text dimColor={!isSelected}>{cells.moment}</Text>
      <Text {...colourOf(theme.colour(row.type))}>{cells.type}</Text>
      <Text dimColor={!isSelected}>{cells.host}</Text>
      {cells.summary}
    </Text>
  );
}

/** A property that is absent, not undefined. */
function colourOf(colour: string | undefined): { readonly color?: string } {
  return colour === undefined ? {} : { color: colour };
}
