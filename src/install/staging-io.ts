import { randomBytes } from 'node:crypto';
import { chmodSync, constants, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BlobSink } from '../bundle/blob-receiver.ts';
import { directoryBlobSink } from '../bundle/blob-store-io.ts';
import { BundleError } from '../bundle/errors.ts';
import { Hasher } from '../bundle/hasher-io.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import type { Digest } from '../core/digest.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { createDirectoryDurably, syncDirectory } from '../durable/files-io.ts';
import { syncFiles } from '../durable/sync-many-io.ts';
import { JoinedFiles } from './joined-files-io.ts';
import { FILES_DIRECTORY } from './layout.ts';
import { newestPartial, partialDirectory, recoverBlobs } from './partial-io.ts';
import { noteHead, noteVolumes, type PartialHead } from './partial-notes-io.ts';

/**
 * A private directory (0700) into which a bundle is copied once, while it is hashed. Dispose removes what is left.
 */
export type Staging = AsyncDisposable & {
  readonly directory: string;
  /** Blobs by digest, as they arrive: in {@link directory}, or, after {@link Staging.goOn}, beside it. */
  readonly blobs: string;
  /** The files at their install paths, after {@link Staging.materialise}. */
  readonly files: string;
  /** Whether what is staged is to survive a power cut: for applying yes, for looking no. */
  readonly durable: boolean;
  /**
   * Goes on where an earlier run was interrupted, and lets a later one go on where this ends, if it ends before
   * {@link Staging.materialise}. To be called first; without effect when only looking.
   * @param payload of the bundle, verified @param head of it, for people to be told what waits here
   * @throws DurableError
   */
  goOn(payload: Digest, head: PartialHead): void;
  /** After {@link goOn}: names of files that were read to their end. @throws DurableError */
  noteVolumes(names: readonly string[]): void;
  /**
   * What an earlier run left for the files of the last sink. Nothing that lies there is believed without its digest.
   * @param onBytes told how many more bytes were hashed; may throw to end the work
   * @returns digests of the blobs that need not come again
   * @throws DurableError
   */
  recover(onBytes: (bytes: number) => void): Promise<ReadonlySet<string>>;
  /**
   * Where the blobs of these files go as they arrive.
   * @param onBytes told how many more bytes of files in chunks were hashed as a whole; may throw to end the work
   */
  sink(entries: readonly IndexEntry[], onBytes: (bytes: number) => void): BlobSink;
  /**
   * Lays out as files the verified blobs that the last sink took. Paths come from a signed index that `parseIndex` has
   * judged.
   * @param entries the very ones that the sink was made for
   * @throws BundleError BLOB_MISMATCH (fault `untrusted`) when chunks don't add up to the signed file; DurableError
   */
  materialise(entries: readonly IndexEntry[]): Promise<void>;
};

export type StagingOptions = {
  /** Cores that work may be spread over; default: all of this machine. */
  readonly cores?: number;
};

/** From so many bytes on, a second thread is worth starting. */
const WORTH_A_THREAD = 16 * 1024 * 1024;

/** @param parent on the file system where the result is to end up, so that it can be moved there by a rename */
export function createStaging(parent: string, durable: boolean, { cores }: StagingOptions = {}): Staging {
  const directory = join(parent, `incoming-${randomBytes(8).toString('hex')}`);
  const files = join(directory, FILES_DIRECTORY);
  let blobs = join(directory, 'blobs');
  createDirectoryDurably(blobs);
  createDirectoryDurably(files);
  let partial: string | undefined;
  let joined: JoinedFiles | undefined;
  let sizes: ReadonlyMap<string, number> = new Map();
  let isLaidOut = false;
  return {
    directory,
    files,
    durable,
    get blobs() {
      return blobs;
    },
    goOn(payload, head) {
      if (!durable) return;
      partial = partialDirectory(parent, payload);
      createDirectoryDurably(partial);
      noteHead(partial, head);
      blobs = partial;
    },
    noteVolumes(names) {
      if (partial !== undefined && !isLaidOut) noteVolumes(partial, names);
    },
    sink(entries, onBytes) {
      const bytes = entries.reduce((sum, { size }) => sum + size, 0);
      const hasher = bytes < WORTH_A_THREAD ? undefined : Hasher.start(cores);
      // Not durable yet: laying blobs out as files makes them so, once, with their modes.
      const whole = directoryBlobSink(blobs, { durable: false, hasher });
      joined = new JoinedFiles(blobs, entries, { hasher, onBytes });
      sizes = wholeFiles(entries);
      return stagingSink(blobs, sizes, { blobs: whole, joined, hasher });
    },
    recover: async (onBytes) =>
      partial === undefined || joined === undefined ? new Set() : recoverBlobs(partial, sizes, joined, onBytes),
    async materialise(entries) {
      isLaidOut = true;
      await materialise({ blobs, files, durable }, entries, joined);
    },
    [Symbol.asyncDispose]: async () => {
      // Once they are laid out, what is left of them is no part of anything.
      if (partial !== undefined && isLaidOut) rmSync(partial, { recursive: true, force: true });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Digest and size of the files that come as one blob. */
function wholeFiles(entries: readonly IndexEntry[]): ReadonlyMap<string, number> {
  return new Map(entries.flatMap(({ sha256, size, chunks }) => (chunks === undefined ? [[sha256, size]] : [])));
}

/**
 * Removes what a crash left behind, but for the blobs of the bundle that was interrupted last. Call under the install
 * lock: then nobody else is staging.
 */
export function clearStaging(parent: string): void {
  if (!existsSync(parent)) return;
  const kept = newestPartial(parent);
  for (const name of readdirSync(parent)) {
    if (name !== kept) rmSync(join(parent, name), { recursive: true, force: true });
  }
}

type SinkParts = {
  readonly blobs: BlobSink;
  readonly joined: JoinedFiles;
  readonly hasher: Hasher | undefined;
};

/** Whole files go to blobs of their own, chunks to where they belong in their file, what is both to both. */
function stagingSink(directory: string, whole: ReadonlyMap<string, number>, parts: SinkParts): BlobSink {
  const { blobs, joined, hasher } = parts;
  return {
    async open(sha256, size) {
      if (!joined.has(sha256)) return blobs.open(sha256, size);
      if (!whole.has(sha256)) return joined.open(sha256);
      const slot = await blobs.open(sha256, size);
      const commit = async () => {
        await slot.commit();
        await joined.fill(sha256, join(directory, sha256));
      };
      return { ...slot, commit };
    },
    async finish() {
      await blobs.finish?.();
      await joined.finish();
      await hasher?.close();
    },
    async abandon() {
      await hasher?.close();
      await joined.abandon();
    },
  };
}

async function materialise(
  { blobs, files, durable }: Pick<Staging, 'blobs' | 'files' | 'durable'>,
  entries: readonly IndexEntry[],
  joined: JoinedFiles | undefined,
): Promise<void> {
  if (joined === undefined) throw new BundleError('READ_ORDER', 'no blobs were staged, so there are no files');
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
      else joined.place(entry, target);
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
 * Staged blobs, and how many paths still need each: the last use takes it away, so that laying out a bundle needs no
 * second copy of it on disk.
 */
class BlobUses {
  readonly #directory: string;
  readonly #left = new Map<string, number>();

  constructor(directory: string, entries: readonly IndexEntry[]) {
    this.#directory = directory;
    for (const { sha256, chunks } of entries) {
      if (chunks === undefined) this.#left.set(sha256, (this.#left.get(sha256) ?? 0) + 1);
    }
  }

  /** Moves the blob at its last use, copies it before. */
  place(sha256: string, target: string): void {
    const left = (this.#left.get(sha256) ?? 0) - 1;
    this.#left.set(sha256, left);
    const path = join(this.#directory, sha256);
    if (left === 0) renameSync(path, target);
    else copyFileSync(path, target, constants.COPYFILE_EXCL);
  }
}

/** Ours, and the end that somebody asked for, pass; what the system said becomes ours. */
function stagingErrorFrom(cause: unknown, target: string): unknown {
  if (cause instanceof DaemonEyeError || errnoOf(cause) === undefined) return cause;
  return durableErrorFrom(cause, 'write the staged file', target);
}
