import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, constants, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readChunks } from '../archive/file-chunks-io.ts';
import { writeFully } from '../bundle/blob-store-io.ts';
import { untrusted } from '../bundle/errors.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { createDirectoryDurably, syncDirectory } from '../durable/files-io.ts';
import { syncFiles } from '../durable/sync-many-io.ts';
import { FILES_DIRECTORY } from './layout.ts';

/**
 * A private directory (0700) into which a bundle is copied once, while it is hashed. Dispose removes what is left.
 */
export type Staging = AsyncDisposable & {
  readonly directory: string;
  /** Blobs by digest, as they arrive. */
  readonly blobs: string;
  /** The files at their install paths, after {@link Staging.materialise}. */
  readonly files: string;
  /** Whether what is staged is to survive a power cut: for applying yes, for looking no. */
  readonly durable: boolean;
  /**
   * Lays the verified blobs out as files. Paths come from a signed index that `parseIndex` has judged.
   * @param onBytes told how many more bytes were joined; may throw to end the work
   * @throws BundleError BLOB_MISMATCH (fault `untrusted`) when chunks don't add up to the signed file; DurableError
   */
  materialise(entries: readonly IndexEntry[], onBytes?: (bytes: number) => void): Promise<void>;
};

/** @param parent on the file system where the result is to end up, so that it can be moved there by a rename */
export function createStaging(parent: string, durable: boolean): Staging {
  const directory = join(parent, `incoming-${randomBytes(8).toString('hex')}`);
  const staging = { directory, blobs: join(directory, 'blobs'), files: join(directory, FILES_DIRECTORY), durable };
  createDirectoryDurably(staging.blobs);
  createDirectoryDurably(staging.files);
  return {
    ...staging,
    materialise: (entries, onBytes = () => undefined) => materialise(staging, entries, onBytes),
    [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Removes what a crash left behind. Call under the install lock: then nobody else is staging. */
export function clearStaging(parent: string): void {
  if (!existsSync(parent)) return;
  for (const name of readdirSync(parent)) rmSync(join(parent, name), { recursive: true, force: true });
}

async function materialise(
  { blobs, files, durable }: Pick<Staging, 'blobs' | 'files' | 'durable'>,
  entries: readonly IndexEntry[],
  onBytes: (bytes: number) => void,
): Promise<void> {
  const uses = new BlobUses(blobs, entries);
  const directories = new Set([files]);
  for (const entry of entries) {
    const target = join(files, ...entry.path.split('/'));
    const folder = dirname(target);
    try {
      // Files come sorted by path: most share the directory of the one before.
      if (!directories.has(folder)) mkdirSync(folder, { recursive: true, mode: 0o755 });
      for (let parent = folder; !directories.has(parent); parent = dirname(parent)) directories.add(parent);
      if (entry.chunks === undefined) uses.place(entry.sha256, target);
      else await joinChunks(uses, entry, entry.chunks, target, onBytes);
      chmodSync(target, entry.mode === '0755' ? 0o755 : 0o644);
    } catch (cause) {
      throw stagingErrorFrom(cause, target);
    }
  }
  // Contents and modes together, once; nothing rests on a blob before it.
  if (durable) {
    await syncFiles(
      files,
      entries.map(({ path }) => path),
    );
  }
  for (const directory of directories) {
    chmodSync(directory, 0o755);
    if (durable) syncDirectory(directory);
  }
}

/**
 * Staged blobs, and how many paths or chunks still need each: the last use takes it away, so that laying out a bundle
 * needs no second copy of it on disk. A chunk counts like a file: its blob may be a whole file elsewhere.
 */
class BlobUses {
  readonly #directory: string;
  readonly #left = new Map<string, number>();

  constructor(directory: string, entries: readonly IndexEntry[]) {
    this.#directory = directory;
    for (const { sha256 } of entries.flatMap((entry) => entry.chunks ?? [entry])) {
      this.#left.set(sha256, (this.#left.get(sha256) ?? 0) + 1);
    }
  }

  path(sha256: string): string {
    return join(this.#directory, sha256);
  }

  /** Moves the blob at its last use, copies it before. */
  place(sha256: string, target: string): void {
    if (this.#use(sha256)) renameSync(this.path(sha256), target);
    else copyFileSync(this.path(sha256), target, constants.COPYFILE_EXCL);
  }

  /** Its bytes were copied elsewhere. */
  used(sha256: string): void {
    if (this.#use(sha256)) rmSync(this.path(sha256));
  }

  #use(sha256: string): boolean {
    const left = (this.#left.get(sha256) ?? 0) - 1;
    this.#left.set(sha256, left);
    return left === 0;
  }
}

/** Each chunk was checked when it was staged; that together they are the file that was signed is checked here. */
async function joinChunks(
  uses: BlobUses,
  entry: IndexEntry,
  chunks: NonNullable<IndexEntry['chunks']>,
  target: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const hash = createHash('sha256');
  await using joined = await open(target, 'wx', 0o600);
  for (const { sha256, size } of chunks) {
    await using chunk = await open(uses.path(sha256), 'r');
    for await (const piece of readChunks(chunk, size)) {
      // The write goes to the disk while this thread hashes.
      const writing = writeFully(joined, piece);
      hash.update(piece);
      await writing;
      onBytes(piece.length);
    }
    uses.used(sha256);
  }
  if (hash.digest('hex') !== entry.sha256) {
    throw untrusted(
      'BLOB_MISMATCH',
      `${escapeForTerminal(entry.path)}: its chunks do not make up the file that was signed`,
    );
  }
}

/** Ours, and the end that somebody asked for, pass; what the system said becomes ours. */
function stagingErrorFrom(cause: unknown, target: string): unknown {
  if (cause instanceof DaemonEyeError || errnoOf(cause) === undefined) return cause;
  return durableErrorFrom(cause, 'write the staged file', target);
}
