/** Where everything goes on the screen. Pure: columns and rows in, sizes out. */
export type Layout = {
  readonly columns: number;
  /** Lines that are drawn: one less than the terminal has, or it would scroll. */
  readonly rows: number;
  /** List and detail beside each other. */
  readonly isWide: boolean;
  readonly list: Pane;
  /** Height 0: there is none. */
  readonly detail: Pane;
};

export type Pane = { readonly columns: number; readonly rows: number };

const WIDE_COLUMNS = 120;
const MIN_COLUMNS = 20;
const MIN_ROWS = 6;
/** Title, status and hints. */
const FRAME_ROWS = 3;
/** The line between list and drawer, or the column between the panes. */
const RULE = 1;

export function layoutOf(columns: number, rows: number, showsDetail: boolean): Layout {
  const width = Math.max(MIN_COLUMNS, columns);
  const height = Math.max(MIN_ROWS, rows - 1);
  const body = height - FRAME_ROWS;
  const isWide = width >= WIDE_COLUMNS;
  if (isWide) {
    const list = Math.floor(width * 0.6);
    return {
      columns: width,
      rows: height,
      isWide,
      list: { columns: list, rows: body },
      detail: { columns: width - list - 3 * RULE, rows: body },
    };
  }
  const drawer = showsDetail ? Math.floor(body / 2) : 0;
  return {
    columns: width,
    rows: height,
    isWide,
    list: { columns: width, rows: body - drawer },
    detail: { columns: width, rows: Math.max(0, drawer - RULE) },
  };
}
