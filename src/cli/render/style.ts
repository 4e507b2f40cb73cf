import type { CheckStatus } from '../../core/checks.ts';

/** What the receiving end of a stream can show. */
export type Capabilities = {
  readonly colour: 'none' | 'basic' | '256' | 'truecolor';
  readonly unicode: boolean;
  /** Columns to lay out for. */
  readonly width: number;
};

export type Tone = 'good' | 'bad' | 'muted' | 'strong' | 'accent';

/** Puts meaning into text. Colour never carries it alone: a glyph and a word stand beside it. */
export type Style = Capabilities & {
  readonly tone: (tone: Tone, text: string) => string;
  /** `✓ pass`, `✗ fail`, `– skip`, padded to the same width. */
  readonly status: (status: CheckStatus) => string;
  /** `✓` or `✗`, for a verdict line. */
  readonly mark: (good: boolean) => string;
};

export type Stream = { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined };
export type Environment = { readonly [name: string]: string | undefined };

const MIN_WIDTH = 40;
const DEFAULT_WIDTH = 80;
const MAX_WIDTH = 120;

/**
 * What `stream` can show. Colour needs a terminal, and neither `--no-color`, `NO_COLOR` (https://no-color.org, any
 * value but empty) nor `TERM=dumb`. Non-ASCII glyphs need a UTF-8 locale (POSIX: LC_ALL, then LC_CTYPE, then LANG).
 */
export function capabilitiesOf(stream: Stream, env: Environment, noColour: boolean): Capabilities {
  const width = Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, stream.columns || DEFAULT_WIDTH));
  const dumb = env['TERM'] === 'dumb';
  const plain = noColour || stream.isTTY !== true || Boolean(env['NO_COLOR']) || dumb;
  return { colour: plain ? 'none' : depthOf(env), unicode: !dumb && isUtf8(env), width };
}

function depthOf(env: Environment): Capabilities['colour'] {
  if (/^(truecolor|24bit)$/.test(env['COLORTERM'] ?? '')) return 'truecolor';
  return /256/.test(env['TERM'] ?? '') ? '256' : 'basic';
}

function isUtf8(env: Environment): boolean {
  return /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '');
}

/**
 * Colours that stay apart for people with any common colour vision (Okabe and Ito, 2008): bluish green, vermillion and
 * sky blue; in the terminal's own sixteen the nearest of those, where the reader chose what they look like.
 */
const COLOURS: Readonly<Record<Tone, Readonly<Record<Exclude<Capabilities['colour'], 'none'>, string>>>> = {
  good: { truecolor: '38;2;0;158;115', '256': '38;5;36', basic: '36' },
  bad: { truecolor: '38;2;213;94;0', '256': '38;5;166', basic: '31' },
  accent: { truecolor: '38;2;86;180;233', '256': '38;5;74', basic: '34' },
  muted: { truecolor: '2', '256': '2', basic: '2' },
  strong: { truecolor: '1', '256': '1', basic: '1' },
};

const WORDS: Readonly<Record<CheckStatus, { word: string; glyph: string; ascii: string; tone: Tone }>> = {
  pass: { word: 'pass', glyph: '✓', ascii: '+', tone: 'good' },
  fail: { word: 'fail', glyph: '✗', ascii: 'x', tone: 'bad' },
  skipped: { word: 'skip', glyph: '–', ascii: '-', tone: 'muted' },
};

export function createStyle(capabilities: Capabilities): Style {
  const { colour, unicode } = capabilities;
  const tone = (name: Tone, text: string): string =>
    colour === 'none' || text === '' ? text : `\x1b[${COLOURS[name][colour]}m${text}\x1b[0m`;
  const glyph = (status: CheckStatus): string => (unicode ? WORDS[status].glyph : WORDS[status].ascii);
  return {
    ...capabilities,
    tone,
    status: (status) => tone(WORDS[status].tone, `${glyph(status)} ${WORDS[status].word}`),
    mark: (good) => tone(good ? 'good' : 'bad', glyph(good ? 'pass' : 'fail')),
  };
}
