import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { acquireLock } from '../../src/durable/lock-io.ts';
import { hasTool } from '../support/cli.ts';
import { expectCode } from '../support/expect-code.ts';
import { tempDirectory } from '../support/temp.ts';

const LOCK_CHILD = join(import.meta.dirname, 'lock-child.ts');

describe('a lock', () => {
  it('has one holder in a process, and can be taken again once released', () => {
    const path = join(tempDirectory(), 'lock');
    const lock = acquireLock(path);
    expectCode(() => acquireLock(path), 'LOCKED');
    lock.release();
    lock.release();
    const again = acquireLock(path);
    // The first holder has nothing left to release.
    lock.release();
    expectCode(() => acquireLock(path), 'LOCKED');
    again.release();
  });

  it('is released by using', () => {
    const path = join(tempDirectory(), 'lock');
    {
      using lock = acquireLock(path);
      expect(lock.path).toBe(path);
    }
    acquireLock(path).release();
  });

  it('is one lock by whatever path', () => {
    const directory = tempDirectory();
    mkdirSync(join(directory, 'real'));
    symlinkSync('real', join(directory, 'link'));
    using _ = acquireLock(join(directory, 'real', 'lock'));
    expectCode(() => acquireLock(join(directory, 'link', 'lock')), 'LOCKED');
  });

  it('leaves a private file and nothing else', () => {
    const directory = tempDirectory();
    using _ = acquireLock(join(directory, 'lock'));
    expect(readdirSync(directory)).toEqual(['lock']);
    expect(statSync(join(directory, 'lock')).mode & 0o777).toBe(0o600);
  });

  it('keeps other processes out, until its holder is killed', async () => {
    const path = join(tempDirectory(), 'lock');
    const child = await lockInChild(path);
    expectCode(() => acquireLock(path), 'LOCKED');
    expectCode(() => acquireLock(path), 'LOCKED');
    child.kill('SIGKILL');
    await once(child, 'exit');
    acquireLock(path).release();
  });

  it('is won by exactly one of those who race for it, and by another when that one is killed', async () => {
    const path = join(tempDirectory(), 'lock');
    for (let round = 0; round < 2; round += 1) {
      const racers = await Promise.allSettled(Array.from({ length: 3 }, () => lockInChild(path)));
      const [winner, ...others] = racers.flatMap((racer) => (racer.status === 'fulfilled' ? [racer.value] : []));
      const losers = racers.flatMap((racer) => (racer.status === 'rejected' ? [String(racer.reason)] : []));
      expect(others).toEqual([]);
      expect(losers).toHaveLength(2);
      for (const complaint of losers) expect(complaint).toContain("code: 'LOCKED'");
      winner?.kill('SIGKILL');
      if (winner !== undefined) await once(winner, 'exit');
    }
  });

  const canUnshare = process.geteuid?.() === 0 && hasTool('unshare');
  it.skipIf(!canUnshare)('keeps out who sees no process of its holder (needs root and unshare)', async () => {
    // A container with the same data directory: a lock that names a process would look abandoned there.
    const path = join(tempDirectory(), 'lock');
    const args = ['--pid', '--fork', '--mount-proc', '--kill-child', process.execPath, LOCK_CHILD, path];
    const holder = await lockInChild(path, 'unshare', args);
    expectCode(() => acquireLock(path), 'LOCKED');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
  });

  it('held here, keeps a child out', async () => {
    const path = join(tempDirectory(), 'lock');
    using _ = acquireLock(path);
    // A failed second try here must not have dropped the lock: POSIX locks go when any descriptor closes.
    expectCode(() => acquireLock(path), 'LOCKED');
    await expect(lockInChild(path)).rejects.toThrow(/LOCKED/);
  });

  it('prints nothing, no warning of an experimental module either', async () => {
    const path = join(tempDirectory(), 'lock');
    const child = await lockInChild(path);
    const errors: string[] = [];
    child.stderr?.on('data', (chunk) => errors.push(String(chunk)));
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(errors).toEqual([]);
  });
});

describe('a lock that can not be', () => {
  it('says why', () => {
    const directory = tempDirectory();
    expectCode(() => acquireLock(join(directory, 'none', 'lock')), 'NOT_FOUND');
    mkdirSync(join(directory, 'folder'));
    expectCode(() => acquireLock(join(directory, 'folder')), 'IO');
    writeFileSync(join(directory, 'junk'), 'this is not a lock file, and long enough not to be one '.repeat(50));
    expectCode(() => acquireLock(join(directory, 'junk')), 'IO');
  });

  it('follows no link to a file of somebody else', () => {
    const directory = tempDirectory();
    symlinkSync(join(directory, 'target'), join(directory, 'lock'));
    expectCode(() => acquireLock(join(directory, 'lock')), 'IO');
    expect(existsSync(join(directory, 'target'))).toBe(false);
  });
});

/** Resolves when the child has the lock; rejects with what it printed when it ended instead. */
async function lockInChild(
  path: string,
  command = process.execPath,
  args: readonly string[] = [LOCK_CHILD, path],
): Promise<ChildProcess> {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += String(chunk);
  });
  const ended = once(child, 'close').then(() => 'ended');
  if ((await Promise.race([once(child.stdout, 'data'), ended])) === 'ended') throw new Error(errors);
  expect(errors).toBe('');
  return child;
}
