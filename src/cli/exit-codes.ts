import type { Fault } from '../core/errors.ts';

/** What a command's exit status means; the same for every command (docs/cli.md, "Exit codes"). */
export const EXIT = { done: 0, failed: 1, usage: 2, untrusted: 3, tampered: 4, refused: 5 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export function exitCodeOfFault(fault: Fault): ExitCode {
  return EXIT[fault];
}

/** What a shell reports of a program that a signal ended: 128 plus its number (POSIX sh, "Exit status"). */
export const SIGNAL_EXIT = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

export type EndingSignal = keyof typeof SIGNAL_EXIT;
