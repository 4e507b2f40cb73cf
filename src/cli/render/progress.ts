import type { Writable } from 'node:stream';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Style } from './style.ts';
import { cutDisplay, displayWidth } from './text.ts';

export type Progress = {
  /** `done` counts from the start, in the unit of `total`, which may come late or change. */
  readonly update: (done: number, total?: number) => void;
  /** Clears the line. Call it before any note. */
  readonly end: () => void;
};

/** What is counted: bytes are shown as kB, MB, GB (powers of 1000, as disks and networks count). */
export type ProgressUnit = 'items' | 'bytes';

/** What one line shows. `rate` is units a second; undefined while too little has happened to say. */
export type ProgressState = {
  readonly label: string;
  readonly unit: ProgressUnit;
  readonly done: number;
  readonly total?: number | undefined;
  readonly rate?: number | undefined;
};

export type ProgressOptions = { readonly unit?: ProgressUnit; readonly total?: number | undefined };

/** Nothing is drawn for work that is over sooner. */
const PATIENCE_MS = 1000;
const REDRAW_MS = 100;
/** The rate is that of the last while: a stick that slows down shows at once, a hiccup hardly. */
const RATE_WINDOW_MS = 5000;
const WIDEST_BAR = 24;
const NARROWEST_BAR = 4;
/** Columns that a fact leaves to the rest: two spaces, a letter of the label, two more, the narrowest bar, two more. */
const MOST_BESIDE = NARROWEST_BAR + 7;
const CLEAR_LINE = '\r\x1b[K';

/**
 * A progress bar on `terminal` (undefined: none), drawn once the work has taken over a second: part done, rate, and
 * the time that remains at that rate.
 * @param clock milliseconds that never go back
 */
export function createProgress(
  terminal: Writable | undefined,
  style: Style,
  label: string,
  options: ProgressOptions = {},
  clock: () => number = () => performance.now(),
): Progress {
  if (terminal === undefined) return { update: () => undefined, end: () => undefined };
  const started = clock();
  const { unit = 'items' } = options;
  const marks: Mark[] = [{ at: started, done: 0 }];
  let drawn: number | undefined;
  return {
    update(done, total = options.total) {
      const at = clock();
      if (at - started < PATIENCE_MS || at - (drawn ?? Number.NEGATIVE_INFINITY) < REDRAW_MS) return;
      drawn = at;
      const rate = rateOf(marks, { at, done });
      terminal.write(`${CLEAR_LINE}${progressLine(style, { label, unit, done, total, rate })}`);
    },
    end() {
      if (drawn !== undefined) terminal.write(CLEAR_LINE);
      drawn = undefined;
    },
  };
}

type Mark = { readonly at: number; readonly done: number };

/** Units a second since the oldest mark of the window; `marks` forgets what is older and learns `now`. */
function rateOf(marks: Mark[], now: Mark): number | undefined {
  while (marks.length > 1 && now.at - (marks[0]?.at ?? 0) > RATE_WINDOW_MS) marks.shift();
  marks.push(now);
  const [oldest = now] = marks;
  const seconds = (now.at - oldest.at) / 1000;
  return seconds > 0 && now.done > oldest.done ? (now.done - oldest.done) / seconds : undefined;
}

/**
 * `verifying  ████████░░░░  63 %  412 MB/s  0:07 left`, never as wide as the terminal: a line that wraps can't be
 * cleared. What has no room is left out, the label's end last.
 */
export function progressLine(style: Style, state: ProgressState): string {
  const { unit, done, total, rate } = state;
  const room = style.width - 1;
  const amount = unit === 'bytes' ? bytesText(done) : String(Math.floor(done));
  const known = total !== undefined && total > 0;
  const part = known ? Math.min(1, Math.max(0, done / total)) : 0;
  let facts = known ? `${Math.floor(part * 100)} %`.padStart(5) : amount;
  for (const fact of rate === undefined ? [] : rateFacts(state, rate)) {
    if (facts.length + fact.length + MOST_BESIDE <= room) facts += `  ${fact}`;
  }
  const label = cutDisplay(escapeForTerminal(state.label), room - facts.length - (known ? NARROWEST_BAR + 4 : 2));
  if (!known) return `${label}  ${facts}`;
  const bar = Math.min(WIDEST_BAR, room - displayWidth(label) - facts.length - 4);
  return bar < NARROWEST_BAR ? `${label}  ${facts}` : `${label}  ${barText(style, part, bar)}  ${facts}`;
}

function rateFacts({ unit, done, total }: ProgressState, rate: number): string[] {
  const pace = unit === 'bytes' ? `${bytesText(rate)}/s` : `${Math.round(rate)}/s`;
  if (total === undefined || total <= 0 || rate <= 0) return [pace];
  return [pace, `${durationText((total - Math.min(done, total)) / rate)} left`];
}

function barText(style: Style, part: number, width: number): string {
  const filled = Math.round(part * width);
  const [full, empty] = style.unicode ? ['█', '░'] : ['#', '.'];
  return style.tone('accent', full.repeat(filled) + empty.repeat(width - filled));
}

/** `999 B`, `1.5 kB`, `412 MB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = Math.max(0, bytes);
  let unit = 0;
  // 999.5 would be rounded to 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `0:07`, `12:40`, `3:02:05`; a guess of over four days is none. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  if (!Number.isFinite(whole) || whole >= 100 * 3600) return 'days';
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = `${String(whole % 60).padStart(2, '0')}`;
  return hours === 0 ? `${minutes}:${rest}` : `${hours}:${String(minutes).padStart(2, '0')}:${rest}`;
}
