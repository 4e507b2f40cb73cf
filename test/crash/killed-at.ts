import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';

export const canTrace = spawnSync('strace', ['-e', 'trace=none', 'true']).status === 0;

/**
 * Runs a TypeScript main as a process of its own, and kills it at a system call.
 * @param nth such call, from 1
 * @returns whether it came to that call; otherwise it ended well
 */
export function killedAt(call: string, nth: number, main: string, args: readonly string[]): boolean {
  const inject = `inject=${call}:signal=SIGKILL:when=${nth}`;
  const strace = ['-f', '-qqq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject];
  // strace counts a thread's calls, each for itself: with one thread for all asynchronous ones, none stays uncounted.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
  const { status, signal, stderr } = spawnSync('strace', [...strace, process.execPath, main, ...args], { env });
  if (status === 0) return false;
  expect([status, signal], stderr.toString()).toEqual([null, 'SIGKILL']);
  return true;
}
