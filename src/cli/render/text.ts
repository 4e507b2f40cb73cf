import { escapeForTerminal } from '../../core/terminal-text.ts';

/** Colour and weight sequences as `createStyle` writes them; nothing else of a terminal's language is ever ours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the point
const STYLE_SEQUENCE = /(\x1b\[[0-9;]*m)/;
// Two cells: East Asian wide and emoji presentation; none: combining marks (Unicode TR11, approximately).
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const COMBINING = /\p{Mark}/u;

/**
 * Text about to reach a terminal: line breaks and (with colour) our own style sequences stay, every other control
 * becomes visible. A second fence behind escaping each outside name where it is put into a sentence: a name that was
 * forgotten still can't move the cursor, set a title or write the clipboard.
 */
export function fenceText(text: string, withStyles: boolean): string {
  return text
    .split('\n')
    .map((line) => {
      if (!withStyles) return escapeForTerminal(line);
      return line
        .split(STYLE_SEQUENCE)
        .map((part, i) => (i % 2 === 1 ? part : escapeForTerminal(part)))
        .join('');
    })
    .join('\n');
}

/** Columns that `text` takes, style sequences not counted. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text
    .split(STYLE_SEQUENCE)
    .filter((_, i) => i % 2 === 0)
    .join('')) {
    width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/** Pads with spaces to `width` columns; longer text stays as it is. */
export function padDisplay(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** Cut to `width` columns, with a `~` where something is left out. @param text without style sequences */
export function cutDisplay(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let [cut, columns] = ['', 0];
  for (const character of text) {
    columns += displayWidth(character);
    if (columns > width - 1) break;
    cut += character;
  }
  return `${cut}~`;
}

/** Breaks at spaces into lines of at most `width` columns; only a longer word (a digest) overhangs. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** Narrower than this a column of text is no help. */
const MIN_COLUMN = 24;

/**
 * `head` and then `text` beside it, wrapped to `width` with the following lines indented under the first; where that
 * leaves too little room, below it.
 */
export function hangingText(head: string, text: string, width: number): string {
  const beside = displayWidth(head);
  if (width - beside < MIN_COLUMN) return [head.trimEnd(), ...indented(wrapText(text, width - 4), 4)].join('\n');
  const [first = '', ...rest] = wrapText(text, width - beside);
  return [head + first, ...indented(rest, beside)].join('\n');
}

function indented(lines: readonly string[], by: number): string[] {
  return lines.map((line) => ' '.repeat(by) + line);
}

/**
 * JSON for people and programs: indented, and with every character that could act on a terminal as a \u escape, which
 * says the same to a parser.
 */
export function formatJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return text
    .split('\n')
    .map((line) => line.replace(/[^\x20-\x7e]/gu, (character) => jsonSafe(character)))
    .join('\n');
}

function jsonSafe(character: string): string {
  if (escapeForTerminal(character) === character) return character;
  return [...Array(character.length).keys()]
    .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
    .join('');
}
