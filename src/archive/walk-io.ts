import type { DirectoryName, UntrustedDirectory } from './directory-io.ts';
import { ArchiveError, hostile } from './errors.ts';
import { MAX_DEPTH } from './path-rules.ts';
import { PathSet } from './path-set.ts';
import type { UntrustedFile } from './untrusted-file-io.ts';

/** A file found; open it before asking for the next one. */
export type FoundFile = { readonly path: string; open(): Promise<UntrustedFile> };

/**
 * Every regular file under a directory, with its path relative to it, sorted by path bytes. Empty directories leave no
 * trace. The paths obey the path rules, alone and beside each other.
 * @param maxFiles files and directories in all
 * @throws ArchiveError as `UntrustedDirectory` and `PathSet`, DIRECTORY_TOO_MANY
 */
export async function* walkFiles(root: UntrustedDirectory, maxFiles: number): AsyncGenerator<FoundFile> {
  const walk = { paths: new PathSet(), left: maxFiles };
  yield* walkDirectory(root, '', 1, walk);
}

type Walk = { readonly paths: PathSet; left: number };

async function* walkDirectory(
  directory: UntrustedDirectory,
  prefix: string,
  depth: number,
  walk: Walk,
): AsyncGenerator<FoundFile> {
  if (depth > MAX_DEPTH) throw hostile('PATH_TOO_DEEP', `"${directory.path}" is over ${MAX_DEPTH} directories deep`);
  const names = await directory.names(walk.left);
  walk.left -= names.length;
  for (const { name, kind } of names.sort(byPathBytes)) {
    const path = prefix + name;
    if (kind === 'directory') {
      await using child = await directory.directory(name);
      yield* walkDirectory(child, `${path}/`, depth + 1, walk);
    } else {
      walk.paths.addFile(path);
      yield { path, open: () => directory.file(name) };
    }
  }
}

/** A directory sorts as the paths in it do: `a.b` comes before `a/b`, because `.` is less than `/`. */
function byPathBytes(a: DirectoryName, b: DirectoryName): number {
  return Buffer.compare(Buffer.from(sortName(a)), Buffer.from(sortName(b)));
}

function sortName({ name, kind }: DirectoryName): string {
  return kind === 'directory' ? `${name}/` : name;
}

/**
 * The same refusal about a directory of the user's own, such as the source of a build: nobody asked for trust, the
 * work just can't be done.
 */
export function asOwnTrouble(thrown: unknown): unknown {
  if (!(thrown instanceof ArchiveError) || thrown.fault !== 'untrusted') return thrown;
  return new ArchiveError(thrown.code, thrown.message, { cause: thrown });
}
