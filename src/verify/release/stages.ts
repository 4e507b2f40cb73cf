import { type Check, failed, passed, skipped } from '../../core/checks.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { reasonOf } from '../errors.ts';
import { ReleaseError } from './errors.ts';

/** One named check: what it says when it passed; it throws when it fails. */
export type Stage = { readonly name: string; readonly run: () => string };

/**
 * Runs checks in order; the first that fails is told with its code, and those after it are skipped, since each stands on
 * the one before. What is the caller's own mistake (a pattern that is none) is thrown on.
 */
export function runStages(stages: readonly Stage[]): Check[] {
  const checks: Check[] = [];
  let failure: string | undefined;
  for (const { name, run } of stages) {
    if (failure !== undefined) {
      checks.push(skipped(name, `not looked at, because of ${failure}`));
      continue;
    }
    try {
      checks.push(passed(name, run()));
    } catch (error) {
      if (!(error instanceof DaemonEyeError)) throw error;
      if (error instanceof ReleaseError && error.fault === 'usage') throw error;
      failure = name;
      checks.push(failed(name, error.code, reasonOf(error)));
    }
  }
  return checks;
}
