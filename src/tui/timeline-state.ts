import { type KeyAction, type KeyPress, listAction, singleKeys, typingAction } from './keys.ts';

/** The state of the timeline screen: a pure reducer over keys and what comes back from the case. */
export type TimelineState = {
  /** Lines of the case. */
  readonly total: number;
  /** What is shown, as rows of the timeline, ascending; undefined when everything is. */
  readonly found: readonly number[] | undefined;
  /** What the last search found: `n` and `N` go there, also when everything is shown again. */
  readonly matches: readonly number[] | undefined;
  /** What was searched for. */
  readonly needle: string;
  /** Place of the cursor among what is shown, and of the first line on the screen. */
  readonly selected: number;
  readonly top: number;
  /** Lines that the list has on the screen. */
  readonly height: number;
  readonly showsDetail: boolean;
  /** First line of the detail on the screen, and the last that may be it. */
  readonly detailTop: number;
  readonly detailEnd: number;
  readonly mode: 'list' | 'typing' | 'help';
  /** What is being typed. */
  readonly input: string;
  /** A search that runs, and the share of the lines that it has read, from 0 to 1. */
  readonly searching: string | undefined;
  readonly searched: number;
  /** One sentence about what went wrong; the next key takes it away. */
  readonly problem: string | undefined;
  /** Whether it was a question without an answer; the next key asks again. */
  readonly hasFailed: boolean;
  /** Counts what was asked again. Never raised by a failure itself, or a case that can't answer would be asked on and on. */
  readonly attempt: number;
  /** The screen is to be left. */
  readonly leaving: 'quit' | 'interrupted' | undefined;
};

export type TimelineAction =
  | KeyAction
  /** What the terminal sent, as it sent it. */
  | { readonly kind: 'pressed'; readonly input: string; readonly key: KeyPress }
  | { readonly kind: 'resized'; readonly height: number }
  /** How many lines of the detail are more than its pane has. */
  | { readonly kind: 'measured'; readonly hidden: number }
  | { readonly kind: 'searched'; readonly share: number }
  | { readonly kind: 'found'; readonly needle: string; readonly rows: readonly number[] }
  | { readonly kind: 'failed'; readonly reason: string };

export function initialTimeline(total: number, height: number): TimelineState {
  return {
    total,
    found: undefined,
    matches: undefined,
    needle: '',
    selected: 0,
    top: 0,
    height: Math.max(1, height),
    showsDetail: false,
    detailTop: 0,
    detailEnd: 0,
    mode: 'list',
    input: '',
    searching: undefined,
    searched: 0,
    problem: undefined,
    hasFailed: false,
    attempt: 0,
    leaving: undefined,
  };
}

/** How many lines there are to move through. */
export function shownCount({ found, total }: TimelineState): number {
  return found?.length ?? total;
}

/** The rows of the timeline that are on the screen, top to bottom. */
export function visibleRows(state: TimelineState): readonly number[] {
  const { found, top, height } = state;
  const end = Math.min(shownCount(state), top + height);
  if (found !== undefined) return found.slice(top, end);
  return Array.from({ length: Math.max(0, end - top) }, (_, i) => top + i);
}

/** The row under the cursor, if there is any. */
export function selectedRow(state: TimelineState): number | undefined {
  if (shownCount(state) === 0) return undefined;
  return state.found === undefined ? state.selected : state.found[state.selected];
}

export function timelineReducer(state: TimelineState, action: TimelineAction): TimelineState {
  switch (action.kind) {
    case 'pressed':
      return singleKeys(action.input, action.key).reduce(pressed, state);
    case 'move':
      return moveTo(state, state.selected + action.by);
    case 'page':
      return moveTo(state, state.selected + action.by * Math.max(1, Math.floor(state.height / 2)));
    case 'first':
      return moveTo(state, 0);
    case 'last':
      return moveTo(state, shownCount(state) - 1);
    case 'match':
      return toMatch(state, action.by);
    case 'detail':
      return shownCount(state) === 0 ? state : { ...state, showsDetail: !state.showsDetail };
    case 'scroll':
      return { ...state, detailTop: Math.min(Math.max(0, state.detailTop + action.by), state.detailEnd) };
    case 'measured':
      return { ...state, detailEnd: action.hidden, detailTop: Math.min(state.detailTop, action.hidden) };
    case 'search':
      return { ...state, mode: 'typing', input: '' };
    case 'help':
      return { ...state, mode: state.mode === 'help' ? 'list' : 'help' };
    case 'type':
      return { ...state, input: (state.input + action.text).slice(0, MAX_INPUT) };
    case 'erase':
      return { ...state, input: [...state.input].slice(0, -1).join('') };
    case 'submit':
      return submit(state);
    case 'back':
      return stepBack(state) ?? { ...state, leaving: 'quit' };
    case 'escape':
      // Never the way out: the first byte of a key that comes slowly is an Esc.
      return stepBack(state) ?? state;
    case 'interrupt':
      return { ...state, leaving: 'interrupted' };
    case 'resized':
      return moveTo({ ...state, height: Math.max(1, action.height) }, state.selected);
    case 'searched':
      return { ...state, searched: action.share };
    case 'found':
      return found(state, action.needle, action.rows);
    case 'failed':
      return { ...state, searching: undefined, problem: action.reason, hasFailed: true };
  }
}

const MAX_INPUT = 200;

function pressed(state: TimelineState, [input, key]: readonly [string, KeyPress]): TimelineState {
  const action = state.mode === 'typing' ? typingAction(input, key) : listAction(input, key);
  return action === undefined ? state : timelineReducer(withoutProblem(state), action);
}

function withoutProblem(state: TimelineState): TimelineState {
  if (state.problem === undefined) return state;
  return { ...state, problem: undefined, hasFailed: false, attempt: state.attempt + Number(state.hasFailed) };
}

/** The cursor on a line that is there, and the screen moved no further than it takes to show it. */
function moveTo(state: TimelineState, wanted: number): TimelineState {
  const count = shownCount(state);
  const selected = Math.min(Math.max(0, wanted), Math.max(0, count - 1));
  const { height } = state;
  const lowest = Math.max(0, count - height);
  const top = Math.min(lowest, Math.max(Math.min(state.top, selected), selected - height + 1));
  return { ...state, selected, top, detailTop: selected === state.selected ? state.detailTop : 0 };
}

function toMatch(state: TimelineState, by: 1 | -1): TimelineState {
  const { matches, needle } = state;
  const here = selectedRow(state);
  if (matches === undefined || here === undefined) return { ...state, problem: 'nothing was searched for: / does' };
  const row = by === 1 ? matches.find((match) => match > here) : matches.findLast((match) => match < here);
  const [other, back] = by === 1 ? ['after', 'N'] : ['before', 'n'];
  if (row === undefined) return { ...state, problem: `no line ${other} this one has "${needle}"; ${back} goes back` };
  return moveTo(state, state.found === undefined ? row : state.found.indexOf(row));
}

function submit(state: TimelineState): TimelineState {
  const needle = state.input;
  if (needle !== '') return { ...state, mode: 'list', searching: needle, searched: 0 };
  return { ...showAll({ ...state, mode: 'list' }), matches: undefined, needle: '' };
}

/** Everything again, with the cursor where it was. */
function showAll(state: TimelineState): TimelineState {
  const row = selectedRow(state) ?? 0;
  return moveTo({ ...state, found: undefined, searching: undefined, top: row }, row);
}

/** Out of what was entered last; undefined when this is the list of everything. */
function stepBack(state: TimelineState): TimelineState | undefined {
  if (state.mode !== 'list') return { ...state, mode: 'list', input: '' };
  if (state.searching !== undefined) return { ...state, searching: undefined };
  if (state.showsDetail) return { ...state, showsDetail: false };
  return state.found === undefined ? undefined : showAll(state);
}

/** What a search found; an answer that nobody waits for any more is dropped. */
function found(state: TimelineState, needle: string, rows: readonly number[]): TimelineState {
  if (state.searching !== needle) return state;
  if (rows.length === 0) return { ...state, searching: undefined, problem: `nothing found for "${needle}"` };
  const here = selectedRow(state) ?? 0;
  const next = rows.findIndex((row) => row >= here);
  const selected = next === -1 ? rows.length - 1 : next;
  const shown = { ...state, found: rows, matches: rows, needle, searching: undefined, detailTop: 0, top: selected };
  return moveTo(shown, selected);
}
