import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { UntrustedDirectory } from '../../archive/directory-io.ts';
import { walkFiles } from '../../archive/walk-io.ts';
import { encodeHex } from '../../core/bytes.ts';

/** Files and directories under one root. */
const MAX_FILES = 1_000_000;

export type HashedFile<H extends string> = {
  /** From the root, with `/`. */
  readonly path: string;
  readonly size: number;
  readonly digests: Readonly<Partial<Record<H, string>>>;
};

/**
 * Every file under `root`, read once.
 * @param own files of the release itself, such as the list and its signature: nobody has to list those
 * @param listed paths that are read though they are `own`
 * @param hashesOf what is wanted of a file; it is read all the same if that is nothing
 * @throws ArchiveError for links, devices and names against the rules; what aborted it
 */
export async function* hashedFiles<H extends string>(
  root: string,
  own: readonly string[],
  hashesOf: (path: string) => readonly H[],
  signal: AbortSignal,
  listed: ReadonlySet<string> = new Set(),
): AsyncGenerator<HashedFile<H>> {
  const inside = ownPaths(root, own);
  await using directory = await UntrustedDirectory.open(root);
  for await (const { path, open } of walkFiles(directory, MAX_FILES)) {
    if (inside.has(path) && !listed.has(path)) continue;
    await using file = await open();
    const hashes = hashesOf(path).map((name) => ({ name, hash: createHash(name) }));
    let size = 0;
    for await (const piece of file.chunks()) {
      signal.throwIfAborted();
      size += piece.length;
      for (const { hash } of hashes) hash.update(piece);
    }
    const digests = Object.fromEntries(hashes.map(({ name, hash }) => [name, encodeHex(hash.digest())]));
    yield { path, size, digests: digests as HashedFile<H>['digests'] };
  }
}

function ownPaths(root: string, own: readonly string[]): ReadonlySet<string> {
  const base = realpathSync(root);
  return new Set(
    own.map((path) =>
      relative(base, join(realpathSync(join(path, '..')), basename(path)))
        .split(sep)
        .join('/'),
    ),
  );
}
