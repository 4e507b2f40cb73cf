import { escapeForTerminal } from '../core/terminal-text.ts';

/** How many columns text takes on a terminal, and fitting it. Pure. */

// Two cells: East Asian wide and emoji presentation (Unicode UAX #11); approximately, since terminals differ too.
const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2630-\u2637\u268a-\u268f\u2e80-\u303e\u3041-\u3247\u3250-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1d300}-\u{1d356}\u{1d360}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** None: marks that go over what is before them, and the vowels and tails of a Hangul syllable. */
const COMBINING = /[\p{Mn}\p{Me}\u1160-\u11ff\ud7b0-\ud7fb]/u;
/** Two of them make one flag, and a skin tone melts into a hand, on some terminals only: a line would be shifted. */
const MELTING = /[\p{Regional_Indicator}\p{Emoji_Modifier}]/gu;
/** More marks than any script needs on one letter grow over the lines above and below. */
const PILED = /(?<=\p{M}{4})\p{M}/gu;

function widthOf(character: string): number {
  return COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

export function cellWidth(text: string): number {
  let width = 0;
  for (const character of text) width += widthOf(character);
  return width;
}

/** Text from evidence with nothing in it that moves, hides or forges anything, or that terminals measure differently. */
function legible(text: string): string {
  const code = (character: string) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  return escapeForTerminal(text).replace(MELTING, code).replace(PILED, code);
}

/**
 * Text from evidence on one line of exactly `width` columns: escaped, cut with `…` when longer, padded when shorter.
 */
export function fitCells(text: string, width: number, ellipsis = '…'): string {
  const safe = legible(text);
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

/** The same without padding. */
export function cutCells(text: string, width: number, ellipsis = '…'): string {
  return fitCells(text, Math.min(width, cellWidth(legible(text))), ellipsis);
}

/** The end of escaped text, at most `width` columns of it: what is being typed. */
export function tailCells(text: string, width: number): string {
  const characters = [...legible(text)];
  let used = 0;
  const from = characters.findLastIndex((character) => {
    used += widthOf(character);
    return used > width;
  });
  return characters.slice(from + 1).join('');
}

/** Escaped text in lines of at most `width` columns, broken wherever they are full: digests have no spaces. */
export function wrapCells(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const character of legible(text)) {
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
