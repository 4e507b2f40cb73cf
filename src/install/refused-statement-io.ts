import type { Digest } from '../core/digest.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { EventData } from '../core/event-data.ts';
import { reasonOf } from '../verify/errors.ts';
import type { WritableInstall } from './install-io.ts';

/** What came out about a statement before it was refused. */
export type SeenStatement = { payload?: Digest };

/**
 * Judges a statement that somebody brought. That it is refused is logged, as it is for bundles: who keeps bringing old
 * or forged ones should be seen. Trouble of our own is no refusal.
 * @param judge notes in its argument what it learned
 * @throws what `judge` throws; LedgerError or DurableError when a refusal can't be logged
 */
export async function judgeStatement<T>(
  install: WritableInstall,
  statement: EventData['statement.refused']['statement'],
  judge: (seen: SeenStatement) => T,
): Promise<T> {
  const seen: SeenStatement = {};
  try {
    return judge(seen);
  } catch (error) {
    if (!(error instanceof DaemonEyeError) || error.fault !== 'untrusted') throw error;
    const { payload } = seen;
    const data = {
      statement,
      code: error.code,
      reason: reasonOf(error),
      ...(payload === undefined ? {} : { payload }),
    };
    await install.append({ type: 'statement.refused', data });
    throw error;
  }
}
