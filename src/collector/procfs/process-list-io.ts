import { readdirSync } from 'node:fs';
import { messageOf } from '../../core/errors.ts';
import { CollectorError } from '../errors.ts';
import { readProcText } from './read-io.ts';

/**
 * Process ids, ascending.
 * @throws CollectorError PROCFS_UNAVAILABLE
 */
export function listProcesses(): number[] {
  const pids: number[] = [];
  let isSorted = true;
  try {
    for (const name of readdirSync('/proc')) {
      const pid = Number(name);
      if (!(pid > 0)) continue;
      isSorted &&= pid > (pids.at(-1) ?? 0);
      pids.push(pid);
    }
  } catch (cause) {
    const message = `/proc can't be listed (${messageOf(cause)}); mount it, or use another source`;
    throw new CollectorError('PROCFS_UNAVAILABLE', message, { cause });
  }
  // Parents before children, mostly: then a parent is in the table when its child is read. Linux lists them so.
  return isSorted ? pids : pids.sort((a, b) => a - b);
}

/**
 * What changes whenever a process begins or is gone: how many threads there are, and the last process id that was given
 * (proc_loadavg(5)). Threads change it too, and a process that exits only once its parent has waited for it. That both
 * come back to what they were takes as many new processes as there are ids.
 * @returns undefined where the kernel doesn't tell
 */
export function readCensus(): string | undefined {
  const [, census, threads, last] = /\/(([1-9][0-9]*) ([1-9][0-9]*))\n$/.exec(readProcText('/proc/loadavg')) ?? [];
  return threads === undefined || last === undefined ? undefined : census;
}

/** Processes that it has started and not lost (proc_pid_task(5), children); none where the kernel doesn't list them. */
export function childrenOf(pid: number, threads: number): number[] {
  if (threads <= 1) return parseChildren(readProcText(`/proc/${pid}/task/${pid}/children`));
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      parseChildren(readProcText(`/proc/${pid}/task/${thread}/children`)),
    );
  } catch {
    return [];
  }
}

function parseChildren(text: string): number[] {
  return text
    .split(' ')
    .map(Number)
    .filter((pid) => pid > 0);
}
