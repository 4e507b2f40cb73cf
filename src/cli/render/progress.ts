import type { Writable } from 'node:stream';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Style } from './style.ts';

export type Progress = {
  /** `done` counts in the unit of `total`, from the start. */
  readonly update: (done: number) => void;
  /** Clears the line. Call it before any note. */
  readonly end: () => void;
};

/** Nothing is drawn for work that is over sooner. */
const PATIENCE_MS = 1000;
const REDRAW_MS = 100;
const BAR = 24;
const CLEAR_LINE = '\r\x1b[K';

/** A progress bar on `terminal` (undefined: none), drawn once the work has taken over a second. */
export function createProgress(
  terminal: Writable | undefined,
  style: Style,
  label: string,
  total: number | undefined,
): Progress {
  if (terminal === undefined) return { update: () => undefined, end: () => undefined };
  const started = performance.now();
  let drawn = 0;
  return {
    update(done) {
      const now = performance.now();
      if (now - started < PATIENCE_MS || now - drawn < REDRAW_MS) return;
      drawn = now;
      terminal.write(`${CLEAR_LINE}${progressLine(style, escapeForTerminal(label), done, total)}`);
    },
    end() {
      if (drawn > 0) terminal.write(CLEAR_LINE);
      drawn = 0;
    },
  };
}

/** `verifying  ████████░░░░  63 %`. */
export function progressLine(style: Style, label: string, done: number, total: number | undefined): string {
  if (total === undefined || total <= 0) return `${label}  ${done}`;
  const part = Math.min(1, Math.max(0, done / total));
  const filled = Math.round(part * BAR);
  const [full, empty] = style.unicode ? ['█', '░'] : ['#', '.'];
  const bar = full.repeat(filled) + empty.repeat(BAR - filled);
  return `${label}  ${style.tone('accent', bar)}  ${Math.floor(part * 100)} %`;
}
