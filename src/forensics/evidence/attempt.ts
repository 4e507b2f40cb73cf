import { DaemonEyeError } from '../../core/errors.ts';

/** Undefined where a document can't be read: why is told by the checks that come to it. */
export function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof DaemonEyeError) return undefined;
    throw error;
  }
}
