import { closeSync, constants, fstatSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { durableErrorFrom, errnoOf } from './errors.ts';
import { syncDirectory } from './files-io.ts';

const { O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Puts zeros, durably, in place of what a file holds: before its name goes, so that a secret doesn't stay in free
 * blocks. What a disk keeps of overwritten blocks (copy-on-write, flash, snapshots, backups) is beyond reach.
 * A file that isn't there is fine.
 * @throws DurableError
 */
export function overwriteDurably(path: string): void {
  try {
    const fd = openSync(path, O_WRONLY | O_NOFOLLOW);
    try {
      const zeros = new Uint8Array(fstatSync(fd).size);
      for (let done = 0; done < zeros.length; ) done += writeSync(fd, zeros, done, zeros.length - done, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw durableErrorFrom(cause, 'overwrite', path);
  }
}

/** Overwrites a file as {@link overwriteDurably} does, and removes it durably. @throws DurableError */
export function destroyDurably(path: string): void {
  overwriteDurably(path);
  try {
    rmSync(path, { force: true });
  } catch (cause) {
    throw durableErrorFrom(cause, 'remove', path);
  }
  syncDirectory(dirname(path));
}
