import { CLOCK_JUMP, LOG_RECOVERY, LOG_ROTATE } from './format.ts';

/** Time, as the caller measures it. */
export type Clock = {
  /** Unix milliseconds, integer. */
  readonly now: () => number;
  /** Microseconds since boot, integer. */
  readonly mono: () => number;
};

export type Moment = { readonly ts: number; readonly mono: number; readonly boot: string };

/** What of a line tells of its time. */
export type ClockedLine = Moment & { readonly type: string };

/** What a `clock.jump` entry says: which clock went back, from where to where. */
export type ClockJump = { readonly clock: 'ts' | 'mono'; readonly from: number; readonly to: number };

/** The step back from one moment to the next, if there is one. `mono` can only be compared within one boot. */
export function clockJump(before: Moment, after: Moment): ClockJump | undefined {
  if (after.ts < before.ts) return { clock: 'ts', from: before.ts, to: after.ts };
  if (after.boot !== before.boot || after.mono >= before.mono) return undefined;
  return { clock: 'mono', from: before.mono, to: after.mono };
}

/** The entries that may carry an earlier time than the line before them: each says so in its `data`. */
const MAY_STEP_BACK: readonly string[] = [CLOCK_JUMP, LOG_RECOVERY, LOG_ROTATE];

/** Those that no `clock.jump` may come before: what they say is about the very line they follow. */
export function recordsOwnJump(type: string): boolean {
  return type === LOG_RECOVERY || type === LOG_ROTATE;
}

/** Follows the clocks along a log: a step back must have been recorded, never smoothed. */
export class ClockFollower {
  #last: Moment | undefined;

  /** @returns the unrecorded step back that this line shows, if any */
  next(line: ClockedLine): ClockJump | undefined {
    const jump = this.#last === undefined ? undefined : clockJump(this.#last, line);
    this.#last = line;
    return MAY_STEP_BACK.includes(line.type) ? undefined : jump;
  }

  /** Whether a line of that moment would show a step back. */
  isBack(moment: Moment): boolean {
    return this.#last !== undefined && clockJump(this.#last, moment) !== undefined;
  }

  /** After lines that were followed elsewhere. */
  skipTo(last: Moment): void {
    this.#last = last;
  }
}
