import { type Check, failed, passed, skipped } from '../core/checks.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { LedgerErrorCode } from './errors.ts';

/** What a check that passes has to say, and what it hands to the checks after it. */
export type Outcome<T> = { readonly value: T; readonly reason: string; readonly detail?: Check['detail'] };

/** What a check that fails has to say. */
export type Problem = { readonly code: LedgerErrorCode; readonly reason: string; readonly detail?: Check['detail'] };

/** A cut-back log and an honest copy look the same: only who made the copy can tell. */
export const OR_A_COPY = 'it was cut back, or is a copy that was made while it was written: then add --copy';

/** Named checks in order, where each builds on what one before it established. */
export class CheckList {
  readonly checks: Check[] = [];

  /**
   * Runs a check, or skips it where what it builds on was not established.
   * @param work returns a problem, or throws one of our errors, to fail the check with its code
   * @returns what the check established; undefined if it failed or was skipped
   */
  run<Given, T>(name: string, given: Given | undefined, work: (given: Given) => Outcome<T> | Problem): T | undefined {
    if (given === undefined) {
      this.checks.push(skipped(name, 'a check that this one builds on did not pass'));
      return undefined;
    }
    try {
      const found = work(given);
      if ('code' in found) {
        this.checks.push(failed(name, found.code, found.reason, found.detail));
        return undefined;
      }
      this.checks.push(passed(name, found.reason, found.detail));
      return found.value;
    } catch (cause) {
      if (!(cause instanceof DaemonEyeError)) throw cause;
      this.checks.push(failed(name, cause.code, cause.message));
      return undefined;
    }
  }
}
