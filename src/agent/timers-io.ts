import { setTimeout as sleep } from 'node:timers/promises';

/** Does it again and again, each time so long after it is done, until aborted. @throws what it throws */
export async function repeatedly(
  work: () => Promise<unknown> | unknown,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (!signal.aborted) await work();
  }
}
