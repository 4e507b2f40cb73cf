/**
 * What things look like. Colour is never the only signal: the type of an event is always there in words, and a glyph
 * beside it. Colours stay apart for people with any common colour vision (Okabe and Ito, 2008).
 */
export type Theme = {
  readonly glyph: (type: string) => string;
  /** Undefined: the terminal's own. */
  readonly colour: (type: string) => string | undefined;
  readonly good: string;
  readonly bad: string;
  readonly accent: string;
  readonly pass: string;
  readonly fail: string;
  readonly cursor: string;
  readonly rule: string;
  readonly bar: string;
  readonly ellipsis: string;
};

const NOUNS: Readonly<Record<string, { readonly glyph: string; readonly ascii: string; readonly colour: string }>> = {
  process: { glyph: '▸', ascii: '>', colour: '#56B4E9' },
  network: { glyph: '⇄', ascii: '~', colour: '#009E73' },
  file: { glyph: '▤', ascii: '=', colour: '#F0E442' },
  alert: { glyph: '!', ascii: '!', colour: '#D55E00' },
  trace: { glyph: '◎', ascii: 'o', colour: '#CC79A7' },
  operator: { glyph: '☻', ascii: '@', colour: '#E69F00' },
};
const OTHER = { glyph: '·', ascii: '.', colour: undefined };

export function createTheme({ unicode }: { readonly unicode: boolean }): Theme {
  const look = (type: string) => NOUNS[type.split('.')[0] ?? ''] ?? OTHER;
  return {
    glyph: (type) => (unicode ? look(type).glyph : look(type).ascii),
    colour: (type) => look(type).colour,
    good: '#009E73',
    bad: '#D55E00',
    accent: '#56B4E9',
    pass: unicode ? '✓' : '+',
    fail: unicode ? '✗' : 'x',
    cursor: unicode ? '❯' : '>',
    rule: unicode ? '─' : '-',
    bar: unicode ? '│' : '|',
    ellipsis: unicode ? '…' : '~',
  };
}
