import { readFileSync } from 'node:fs';

export type TooLate = 'DEADLINE' | 'STARVED';

export type PatienceOptions = {
  /** For one question. */
  readonly deadlineMs: number;
  /**
   * With it, the deadline is for the time the child works, not for the time that passes: on a busy machine, or while
   * this process is busy itself, a question that waits for a processor has done nothing wrong. This one is for the time
   * that passes; who by then has had a fair part of the time is late all the same, or a question that never ends could
   * hold up all others on a busy machine. Where the system doesn't tell how long a child has worked, all of it counts.
   */
  readonly patienceMs: number | undefined;
  /** How long the child has worked, now; undefined where that isn't known. */
  readonly workedMs: () => number | undefined;
  /** What `workedMs` said when the question began, or shortly before. */
  readonly worked: number | undefined;
  /** Called once, unless it is stopped before. */
  readonly tooLate: (how: TooLate) => void;
};

/** Of the deadline. */
const FAIR_PART = 0.25;
/** Between two looks at a child that is late. */
const LOOK_MS = 20;

/** Says when a child takes too long. */
export class Patience {
  readonly #options: PatienceOptions;
  readonly #started = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: PatienceOptions) {
    this.#options = options;
    this.#wait(options.deadlineMs);
  }

  /** It is done. */
  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #wait(ms: number): void {
    // After input, not before: what came while this process was busy came in time.
    this.#timer = setTimeout(() => setImmediate(() => this.#look()), ms);
  }

  #look(): void {
    if (this.#isOver) return;
    const { deadlineMs, patienceMs, worked = 0, workedMs, tooLate } = this.#options;
    const now = patienceMs === undefined ? undefined : workedMs();
    const passed = performance.now() - this.#started;
    const part = now === undefined ? 1 : (now - worked) / deadlineMs;
    if (part < 1 && passed < (patienceMs ?? 0)) {
      this.#wait(LOOK_MS);
      return;
    }
    this.stop();
    tooLate(part >= FAIR_PART ? 'DEADLINE' : 'STARVED');
  }
}

/** What the first thread of a process has worked so far, in milliseconds; undefined where the system doesn't say. */
export function workedMs(pid: number | undefined): number | undefined {
  try {
    // Nanoseconds on a processor, nanoseconds waiting for one, time slices (Documentation/scheduler/sched-stats.rst).
    const nanoseconds = Number(readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')[0]);
    return nanoseconds > 0 ? nanoseconds / 1e6 : undefined;
  } catch {
    return undefined;
  }
}
