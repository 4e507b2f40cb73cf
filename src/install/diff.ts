import type { IndexEntry } from '../bundle/index-lines.ts';

/** What applying would change, by install path, each list in path order. */
export type FileDiff = {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly unchanged: number;
};

/** Compares the files of two bundles by digest and mode. */
export function diffFiles(before: readonly IndexEntry[], after: readonly IndexEntry[]): FileDiff {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const kept = new Set(after.map(({ path }) => path));
  const same = (entry: IndexEntry): boolean => {
    const known = old.get(entry.path);
    return known?.sha256 === entry.sha256 && known.mode === entry.mode;
  };
  return {
    added: after.filter(({ path }) => !old.has(path)).map(({ path }) => path),
    removed: before.filter(({ path }) => !kept.has(path)).map(({ path }) => path),
    changed: after.filter((entry) => old.has(entry.path) && !same(entry)).map(({ path }) => path),
    unchanged: after.filter(same).length,
  };
}
