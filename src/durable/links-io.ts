import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { durableErrorFrom } from './errors.ts';
import { syncDirectory, temporaryName } from './files-io.ts';

/**
 * Points a symbolic link at `target`, atomically and durably: a new link under a temporary name, rename over the old
 * one, fsync of the directory. A reader sees the old target or the new one, never none.
 * @param target stored as given; a relative one is relative to the link's directory
 * @throws DurableError
 */
export function replaceLinkDurably(linkPath: string, target: string): void {
  const temporary = temporaryName(linkPath);
  try {
    symlinkSync(target, temporary);
    renameSync(temporary, linkPath);
    syncDirectory(dirname(linkPath));
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw durableErrorFrom(cause, 'switch the link', linkPath);
  }
}
