import { escapeForTerminal } from '../../../core/terminal-text.ts';
import type { Cell } from '../../../forensics/case/query-io.ts';
import type { Style } from '../../render/style.ts';
import { displayWidth, padDisplay } from '../../render/text.ts';

/** Rows in columns, a line each; NULL is a dash. Everything in it comes from evidence, so all of it is escaped. */
export function renderTable(columns: readonly string[], rows: readonly (readonly Cell[])[], style: Style): string {
  const head = columns.map(escapeForTerminal);
  const body = rows.map((row) =>
    row.map((cell) => (cell === null ? nullMark(style) : escapeForTerminal(String(cell)))),
  );
  const widths = head.map((title, i) =>
    Math.max(displayWidth(title), ...body.map((row) => displayWidth(row[i] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === cells.length - 1 ? cell : padDisplay(cell, widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [style.tone('strong', line(head)), ...body.map(line)].join('\n');
}

function nullMark({ unicode }: Style): string {
  return unicode ? '–' : '-';
}
