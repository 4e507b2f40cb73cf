/** Every key of the terminal UI, and nothing else: what is pressed becomes an action here. */

/** What ink tells of a key beside its characters; the part that matters. */
export type KeyPress = {
  readonly upArrow?: boolean;
  readonly downArrow?: boolean;
  readonly pageUp?: boolean;
  readonly pageDown?: boolean;
  readonly home?: boolean;
  readonly end?: boolean;
  readonly return?: boolean;
  readonly escape?: boolean;
  readonly backspace?: boolean;
  readonly delete?: boolean;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
};

export type KeyAction =
  | { readonly kind: 'move'; readonly by: number }
  | { readonly kind: 'page'; readonly by: number }
  /** Through the detail, when it is longer than its pane. */
  | { readonly kind: 'scroll'; readonly by: number }
  /** To the next line that the last search found, or to the one before. */
  | { readonly kind: 'match'; readonly by: 1 | -1 }
  | { readonly kind: 'first' | 'last' | 'detail' | 'search' | 'help' | 'back' | 'escape' | 'interrupt' }
  | { readonly kind: 'type'; readonly text: string }
  | { readonly kind: 'erase' | 'submit' };

/** The keys as the help shows them. */
export const KEY_HELP: readonly (readonly [string, string])[] = [
  ['j  ↓', 'next line'],
  ['k  ↑', 'line before'],
  ['Ctrl-d  PgDn', 'half a page down'],
  ['Ctrl-u  PgUp', 'half a page up'],
  ['g  Home', 'first line'],
  ['G  End', 'last line'],
  ['Enter', 'detail of the line, on and off'],
  ['J  K', 'down and up in the detail'],
  ['/', 'search in the lines, and show what is found; an empty search shows all'],
  ['n  N', 'next and previous line that was found, also among all lines'],
  ['Esc', 'back: leaves search, help, detail, what was found'],
  ['q', 'back, and from the list: quit'],
  ['?', 'this help'],
  ['Ctrl-C', 'quit'],
];

const LIST: Readonly<Record<string, KeyAction>> = {
  j: { kind: 'move', by: 1 },
  k: { kind: 'move', by: -1 },
  J: { kind: 'scroll', by: 1 },
  K: { kind: 'scroll', by: -1 },
  g: { kind: 'first' },
  G: { kind: 'last' },
  '/': { kind: 'search' },
  n: { kind: 'match', by: 1 },
  N: { kind: 'match', by: -1 },
  '?': { kind: 'help' },
  q: { kind: 'back' },
};

const CTRL: Readonly<Record<string, KeyAction>> = { d: { kind: 'page', by: 1 }, u: { kind: 'page', by: -1 } };

const NAMED: readonly (readonly [keyof KeyPress, KeyAction])[] = [
  ['downArrow', { kind: 'move', by: 1 }],
  ['upArrow', { kind: 'move', by: -1 }],
  ['pageDown', { kind: 'page', by: 1 }],
  ['pageUp', { kind: 'page', by: -1 }],
  ['home', { kind: 'first' }],
  ['end', { kind: 'last' }],
  ['return', { kind: 'detail' }],
  ['escape', { kind: 'escape' }],
];

/** What a key means while a list is shown. */
export function listAction(input: string, key: KeyPress): KeyAction | undefined {
  if (isInterrupt(input, key)) return { kind: 'interrupt' };
  if (key.ctrl === true) return CTRL[input];
  const named = NAMED.find(([name]) => key[name] === true);
  if (named !== undefined) return named[1];
  return key.meta === true ? undefined : LIST[input];
}

/** What a key means while a text is typed. */
export function typingAction(input: string, key: KeyPress): KeyAction | undefined {
  if (isInterrupt(input, key)) return { kind: 'interrupt' };
  if (key.return === true) return { kind: 'submit' };
  if (key.escape === true) return { kind: 'escape' };
  if (key.backspace === true || key.delete === true) return { kind: 'erase' };
  if (key.ctrl === true || key.meta === true || input === '') return undefined;
  return { kind: 'type', text: input };
}

/**
 * The single keys of what a terminal sent at once: a held key, a pasted line or a slow connection brings several, and
 * what each means depends on those before it.
 */
export function singleKeys(input: string, key: KeyPress): readonly (readonly [string, KeyPress])[] {
  const characters = [...input];
  if (characters.length < 2) return [[input, key]];
  return characters.map((one) => (one === '\r' || one === '\n' ? ['', { ...key, return: true }] : [one, key]));
}

function isInterrupt(input: string, key: KeyPress): boolean {
  return key.ctrl === true && input === 'c';
}
