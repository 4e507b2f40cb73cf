import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { durableErrorFrom } from './errors.ts';

/** From so many files on, one sync of their file system costs less than an fsync, and a wait for the disk, of each. */
const WORTH_ONE_SYNC = 64;
const AT_ONCE = 8;
/** Absolute: what a PATH names could be anything. */
const SYNC_PROGRAMS = ['/usr/bin/sync', '/bin/sync'];

/**
 * Makes many written and closed files survive a power cut: where there is `sync -f` (Linux: GNU coreutils, busybox) by
 * syncfs(2) in one go, elsewhere, and whenever that fails, by an fsync of each. Their names are durable only once the
 * directory is synced as well.
 * @throws DurableError
 */
export async function syncFiles(directory: string, names: readonly string[]): Promise<void> {
  if (names.length >= WORTH_ONE_SYNC && (await syncFileSystemOf(directory))) return;
  for (let from = 0; from < names.length; from += AT_ONCE) {
    await Promise.all(names.slice(from, from + AT_ONCE).map((name) => syncFile(join(directory, name))));
  }
}

async function syncFile(path: string): Promise<void> {
  try {
    await using handle = await open(path, 'r+');
    await handle.sync();
  } catch (cause) {
    throw durableErrorFrom(cause, 'write', path);
  }
}

/** Whether the file system that holds `directory` was synced: false when that can't be done, or went wrong. */
function syncFileSystemOf(directory: string): Promise<boolean> {
  // Other systems have a `sync` that only schedules the writing.
  const program = process.platform === 'linux' ? SYNC_PROGRAMS.find((path) => existsSync(path)) : undefined;
  if (program === undefined) return Promise.resolve(false);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn(program, ['-f', '--', directory], { stdio: 'ignore', env: {} });
  child.on('error', () => resolve(false));
  child.on('close', (code) => resolve(code === 0));
  return promise;
}
