import { type KeyAction, type KeyPress, listAction, singleKeys, typingAction } from './keys.ts';

/** The state of the timeline screen: a pure reducer over keys and what comes back from the case. */
export type TimelineState = {
  /** Lines of the case. */
  readonly total: number;
  /** What the search found, as rows of the timeline; undefined when everything is shown. */
  readonly found: readonly number[] | undefined;
  /** What was searched for. */
  readonly needle: string;
  /** Place of the cursor among what is shown, and of the first line on the screen. */
  readonly selected: number;
  readonly top: number;
  /** Lines that the list has on the screen. */
  readonly height: number;
  readonly showsDetail: boolean;
  readonly mode: 'list' | 'typing' | 'help';
  /** What is being typed. */
  readonly input: string;
  /** A search that runs. */
  readonly searching: string | undefined;
  /** One sentence about what went wrong. */
  readonly problem: string | undefined;
  /** The screen is to be left. */
  readonly leaving: 'quit' | 'interrupted' | undefined;
};

export type TimelineAction =
  | KeyAction
  /** What the terminal sent, as it sent it. */
  | { readonly kind: 'pressed'; readonly input: string; readonly key: KeyPress }
  | { readonly kind: 'resized'; readonly height: number }
  | { readonly kind: 'found'; readonly needle: string; readonly rows: readonly number[] }
  | { readonly kind: 'failed'; readonly reason: string };

export function initialTimeline(total: number, height: number): TimelineState {
  return {
    total,
    found: undefined,
    needle: '',
    selected: 0,
    top: 0,
    height: Math.max(1, height),
    showsDetail: false,
    mode: 'list',
    input: '',
    searching: undefined,
    problem: undefined,
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
    case 'detail':
      return { ...state, showsDetail: !state.showsDetail };
    case 'search':
      return { ...state, mode: 'typing', input: '', problem: undefined };
    case 'help':
      return { ...state, mode: state.mode === 'help' ? 'list' : 'help' };
    case 'type':
      return { ...state, input: (state.input + action.text).slice(0, MAX_INPUT) };
    case 'erase':
      return { ...state, input: [...state.input].slice(0, -1).join('') };
    case 'submit':
      return submit(state);
    case 'back':
      return back(state);
    case 'interrupt':
      return { ...state, leaving: 'interrupted' };
    case 'resized':
      return moveTo({ ...state, height: Math.max(1, action.height) }, state.selected);
    case 'found':
      return found(state, action.needle, action.rows);
    case 'failed':
      return { ...state, searching: undefined, problem: action.reason };
  }
}

const MAX_INPUT = 200;

function pressed(state: TimelineState, [input, key]: readonly [string, KeyPress]): TimelineState {
  const action = state.mode === 'typing' ? typingAction(input, key) : listAction(input, key);
  return action === undefined ? state : timelineReducer(state, action);
}

/** The cursor on a line that is there, and the screen moved no further than it takes to show it. */
function moveTo(state: TimelineState, wanted: number): TimelineState {
  const count = shownCount(state);
  const selected = Math.min(Math.max(0, wanted), Math.max(0, count - 1));
  const { height } = state;
  const lowest = Math.max(0, count - height);
  const top = Math.min(lowest, Math.max(Math.min(state.top, selected), selected - height + 1));
  return { ...state, selected, top };
}

function submit(state: TimelineState): TimelineState {
  const needle = state.input;
  if (needle !== '') return { ...state, mode: 'list', searching: needle };
  return showAll({ ...state, mode: 'list' });
}

/** Everything again, with the cursor where it was. */
function showAll(state: TimelineState): TimelineState {
  const row = selectedRow(state) ?? 0;
  return moveTo({ ...state, found: undefined, needle: '', searching: undefined, problem: undefined, top: row }, row);
}

function back(state: TimelineState): TimelineState {
  if (state.mode !== 'list') return { ...state, mode: 'list', input: '' };
  if (state.searching !== undefined) return { ...state, searching: undefined };
  if (state.showsDetail) return { ...state, showsDetail: false };
  if (state.found !== undefined) return showAll(state);
  return { ...state, leaving: 'quit' };
}

/** What a search found; an answer that nobody waits for any more is dropped. */
function found(state: TimelineState, needle: string, rows: readonly number[]): TimelineState {
  if (state.searching !== needle) return state;
  if (rows.length === 0) return { ...state, searching: undefined, problem: `nothing found for "${needle}"` };
  const here = selectedRow(state) ?? 0;
  const next = rows.findIndex((row) => row >= here);
  const selected = next === -1 ? rows.length - 1 : next;
  return moveTo({ ...state, found: rows, needle, searching: undefined, problem: undefined, top: selected }, selected);
}
