import { readdirSync } from 'node:fs';
import { messageOf } from '../../core/errors.ts';
import { CollectorError } from '../errors.ts';
import { readProcText } from './read-io.ts';

/**
 * Process ids, ascending.
 * @throws CollectorError PROCFS_UNAVAILABLE
 */
export function listProcesses(): number[] {
  try {
    const pids = readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0);
    // Parents before children, mostly: then a parent is in the table when its child is read.
    return pids.sort((a, b) => a - b);
  } catch (cause) {
    const message = `/proc can't be listed (${messageOf(cause)}); mount it, or use another source`;
    throw new CollectorError('PROCFS_UNAVAILABLE', message, { cause });
  }
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
