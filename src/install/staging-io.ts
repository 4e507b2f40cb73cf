import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { BundleError, untrusted } from '../bundle/errors.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, syncDirectory } from '../durable/files-io.ts';
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
   * @throws BundleError BLOB_MISMATCH (fault `untrusted`) when chunks don't add up to the signed file; DurableError
   */
  materialise(entries: readonly IndexEntry[]): Promise<void>;
};

/** @param parent on the file system where the result is to end up, so that it can be moved there by a rename */
export function createStaging(parent: string, durable: boolean): Staging {
  const directory = join(parent, `incoming-${randomBytes(8).toString('hex')}`);
  const staging = { directory, blobs: join(directory, 'blobs'), files: join(directory, FILES_DIRECTORY), durable };
  createDirectoryDurably(staging.blobs);
  createDirectoryDurably(staging.files);
  return {
    ...staging,
    materialise: (entries) => materialise(staging, entries),
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
): Promise<void> {
  const uses = new Map<string, number>();
  // A chunk counts too: its blob may be a whole file elsewhere, and must not be moved away from under it.
  for (const { sha256 } of entries.flatMap((entry) => entry.chunks ?? [entry])) {
    uses.set(sha256, (uses.get(sha256) ?? 0) + 1);
  }
  const directories = new Set([files]);
  for (const entry of entries) {
    const target = join(files, ...entry.path.split('/'));
    for (let parent = dirname(target); parent.length > files.length; parent = dirname(parent)) directories.add(parent);
    try {
      mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
      await place(blobs, entry, target, uses.get(entry.sha256) === 1);
      if (durable) await sync(target);
    } catch (cause) {
      throw cause instanceof BundleError ? cause : durableErrorFrom(cause, 'write the staged file', target);
    }
  }
  for (const directory of directories) {
    chmodSync(directory, 0o755);
    if (durable) syncDirectory(directory);
  }
}

/** A blob used once is moved, one used by several paths is copied, chunks are joined. */
async function place(blobs: string, entry: IndexEntry, target: string, onlyUse: boolean): Promise<void> {
  if (entry.chunks !== undefined) await joinChunks(blobs, entry, entry.chunks, target);
  else if (onlyUse) renameSync(join(blobs, entry.sha256), target);
  else copyFileSync(join(blobs, entry.sha256), target);
  chmodSync(target, entry.mode === '0755' ? 0o755 : 0o644);
}

/** Each chunk was checked when it was staged; that together they are the file that was signed is checked here. */
async function joinChunks(
  blobs: string,
  entry: IndexEntry,
  chunks: readonly { readonly sha256: string }[],
  target: string,
): Promise<void> {
  const hash = createHash('sha256');
  for (const { sha256 } of chunks) {
    const chunk = createReadStream(join(blobs, sha256));
    chunk.on('data', (bytes) => hash.update(bytes));
    await pipeline(chunk, createWriteStream(target, { flags: 'a' }));
  }
  if (hash.digest('hex') !== entry.sha256) {
    throw untrusted(
      'BLOB_MISMATCH',
      `${escapeForTerminal(entry.path)}: its chunks do not make up the file that was signed`,
    );
  }
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
