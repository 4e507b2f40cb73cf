import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { tempDirectory } from './temp.ts';

/** Whether strace can do it here; without it, skip aloud. */
export const canTrace = strace(['-e', 'trace=none'], ['true']).status === 0;
if (!canTrace) console.warn('SKIPPED: what is killed at its system calls, or has them fail, needs strace');

/** Runs a program of ours on the runtime of the tests, tampering with its system calls as the options of strace say. */
export function straced(options: readonly string[], args: readonly string[], env = process.env) {
  return strace(options, [process.execPath, ...args], env);
}

/** strace counts a thread's calls, each for itself: with one thread for all asynchronous ones, none stays uncounted. */
const ONE_THREAD = { ...process.env, UV_THREADPOOL_SIZE: '1' };

/** Runs a program of ours, which must end well. @returns how often it makes each of these calls: how often it can be killed */
export function callsMade(calls: readonly string[], args: readonly string[]): ReadonlyMap<string, number> {
  const record = join(tempDirectory(), 'calls');
  const { status, stderr } = straced(['-e', `trace=${calls}`, '-o', record], args, ONE_THREAD);
  expect(status, stderr).toBe(0);
  const made = readFileSync(record, 'utf8').matchAll(/^[0-9]+ +([a-z0-9]+)\(/gm);
  const byThread = Map.groupBy(made, ([call]) => call);
  const counts = new Map<string, number>();
  for (const [text, { length }] of byThread) {
    const call = text.replace(/^[0-9]+ +(.*)\($/, '$1');
    counts.set(call, Math.max(length, counts.get(call) ?? 0));
  }
  return counts;
}

/**
 * Runs a program of ours, and kills it when it comes to the nth such call.
 * @returns whether it came to it: what waits for threads may do with a call less than another time, and end well
 */
export function killedAt(call: string, nth: number, args: readonly string[]): boolean {
  const options = ['-e', `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=${nth}`];
  const { status, signal, stderr } = straced(options, args, ONE_THREAD);
  if (status === 0) return false;
  expect([status, signal], stderr).toEqual([null, 'SIGKILL']);
  return true;
}

function strace(options: readonly string[], command: readonly string[], env = process.env): SpawnSyncReturns<string> {
  const args = ['-f', '-qqq', '-o', '/dev/null', ...options, ...command];
  return spawnSync('strace', args, { env, encoding: 'utf8', timeout: 120_000 });
}
