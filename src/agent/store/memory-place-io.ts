import { lstatSync, mkdtempSync, readdirSync, realpathSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { utf8 } from '../../core/bytes.ts';
import { sha256Digest } from '../../core/digest.ts';

/** File systems that lie in memory, by the magic number of statfs(2). */
const MEMORY: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/**
 * Makes a directory in memory, for nobody but this user, for the values in clear of one data directory; removes what an
 * agent that was killed has left. Call with the agent's lock held: what is there is then nobody's.
 * @returns undefined where this machine has no such place: then nothing is kept in clear at all
 */
export function makeMemoryPlace(data: string, env: NodeJS.ProcessEnv): string | undefined {
  const uid = process.getuid?.();
  if (uid === undefined) return undefined;
  // A fresh random name each time: nobody can put something there for us to use.
  const prefix = `daemoneye-${uid}-${sha256Digest(utf8(realpathSync(data))).slice(-12)}-`;
  const places = ['/dev/shm', env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`].filter(liesInMemory);
  for (const place of places) removeLeftovers(place, prefix, uid);
  for (const place of places) {
    try {
      return mkdtempSync(join(place, prefix));
    } catch {
      // Not for us to write; the next may be.
    }
  }
  return undefined;
}

function liesInMemory(place: string): boolean {
  try {
    return place.startsWith('/') && MEMORY.has(statfsSync(place).type);
  } catch {
    return false;
  }
}

function removeLeftovers(place: string, prefix: string, uid: number): void {
  for (const name of readdirSync(place).filter((entry) => entry.startsWith(prefix))) {
    const path = join(place, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory() === true && stats.uid === uid) rmSync(path, { recursive: true, force: true });
  }
}
