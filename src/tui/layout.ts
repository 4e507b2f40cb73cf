/** Where everything goes on the screen. Pure: columns and rows in, sizes out. */
export type Layout = {
  readonly columns: number;
  /** Lines that are drawn: one less than the terminal has, or it would scroll. */
  readonly rows: number;
  /** On a terminal of a few lines the title goes first, then the hints; never the status. */
  readonly hasTitle: boolean;
  readonly hasHints: boolean;
  /** All between title and status. */
  readonly body: Pane;
  /** List and detail beside each other. */
  readonly isWide: boolean;
  readonly list: Pane;
  /** Height 0: there is none. */
  readonly detail: Pane;
};

export type Pane = { readonly columns: number; readonly rows: number };

const WIDE_COLUMNS = 120;
/** From so many drawn lines on there is a line for it. */
const HINTS_FROM = 3;
const TITLE_FROM = 4;
/** The line between list and drawer, or the column between the panes. */
const RULE = 1;

export function layoutOf(columns: number, rows: number, showsDetail: boolean): Layout {
  const width = Math.max(1, columns);
  const height = Math.max(1, rows - 1);
  const hasTitle = height >= TITLE_FROM;
  const hasHints = height >= HINTS_FROM;
  const body = { columns: width, rows: height - 1 - Number(hasTitle) - Number(hasHints) };
  const frame = { columns: width, rows: height, hasTitle, hasHints, body };
  if (width >= WIDE_COLUMNS) {
    const list = Math.floor(width * 0.6);
    const detail = { columns: width - list - 3 * RULE, rows: body.rows };
    return { ...frame, isWide: true, list: { columns: list, rows: body.rows }, detail };
  }
  // The list keeps the larger half, and at least a line.
  const drawer = showsDetail ? Math.floor(body.rows / 2) : 0;
  const detail = { columns: width, rows: Math.max(0, drawer - RULE) };
  const list = { columns: width, rows: body.rows - (detail.rows === 0 ? 0 : drawer) };
  return { ...frame, isWide: false, list, detail };
}
