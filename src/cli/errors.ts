import { DaemonEyeError } from '../core/errors.ts';
import type { EndingSignal } from './exit-codes.ts';

export type CliErrorCode =
  // the command line
  | 'USAGE_COMMAND'
  | 'USAGE_OPTION'
  | 'USAGE_ARGUMENT'
  | 'USAGE_VALUE'
  // files the command line names
  | 'FILE_NOT_FOUND'
  | 'FILE_DENIED'
  | 'FILE_IS_DIRECTORY'
  | 'FILE_TOO_LARGE'
  | 'FILE_EXISTS'
  | 'FILE_UNREADABLE'
  | 'FILE_UNWRITABLE'
  // the draft of a trust root
  | 'DRAFT_STALE'
  | 'REVOCATION_DROPPED'
  // what a bundle is built from
  | 'CONTENT_REFUSED'
  // what a heads statement is to name
  | 'BUNDLE_REFUSED'
  // what is done to a log
  | 'OWN_LOG'
  // what a delta is made against
  | 'BASE_NOT_HELD'
  // asking a person
  | 'CONFIRM_NEEDED'
  | 'CONFIRM_DECLINED'
  | 'PASSPHRASE_NEEDED'
  | 'PASSPHRASE_EMPTY'
  | 'PASSPHRASE_MISMATCH'
  // the process
  | 'INTERRUPTED'
  | 'OUTPUT_CLOSED'
  | 'OUTPUT_FAILED'
  | 'SYSTEM';

/** What the command line itself refuses; everything else comes from the folder that does the work. */
export class CliError extends DaemonEyeError<CliErrorCode> {}

/** A command called wrongly: exit code 2. */
export function usageError(code: Extract<CliErrorCode, `USAGE_${string}`>, message: string): CliError {
  return new CliError(code, message, { fault: 'usage' });
}

/** The reason that `DaemonCommand.signal` carries: someone asked the program to end. */
export class Interruption extends CliError {
  readonly signal: EndingSignal;

  constructor(signal: EndingSignal) {
    super('INTERRUPTED', `stopped by ${signal}, as asked`);
    this.signal = signal;
  }
}
