import { escapeForTerminal } from '../core/terminal-text.ts';

/** How many columns text takes on a terminal, and fitting it. Pure. */

// Two cells: East Asian wide and emoji presentation; none: combining marks (Unicode TR11, approximately).
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const COMBINING = /\p{Mark}/u;

function widthOf(character: string): number {
  return COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

export function cellWidth(text: string): number {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/**
 * Text from evidence on one line of exactly `width` columns: escaped, cut with `…` when longer, padded when shorter.
 */
export function fitCells(text: string, width: number, ellipsis = '…'): string {
  const safe = escapeForTerminal(text);
  if (width <= 0) return '';
  const full = cellWidth(safe);
  if (full <= width) return safe + ' '.repeat(width - full);
  let kept = '';
  let used = 0;
  for (const character of safe) {
    const next = used + widthOf(character);
    if (next > width - cellWidth(ellipsis)) break;
    kept += character;
    used = next;
  }
  return kept + ellipsis + ' '.repeat(width - used - cellWidth(ellipsis));
}

/** Escaped text in lines of at most `width` columns, broken wherever they are full: digests have no spaces. */
export function wrapCells(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const character of escapeForTerminal(text)) {
    const cells = widthOf(character);
    if (used + cells > width && line !== '') {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += character;
    used += cells;
  }
  return [...lines, line];
}
