import { createHash, type Hash } from 'node:crypto';
import { constants, lstatSync, renameSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readChunks } from '../archive/file-chunks-io.ts';
import type { BlobSlot } from '../bundle/blob-receiver.ts';
import { writeFully } from '../bundle/blob-store-io.ts';
import { untrusted } from '../bundle/errors.ts';
import type { Hasher } from '../bundle/hasher-io.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = constants;
const PRIVATE_FILE = 0o600;
/** Names of files that are being put together; no digest looks like it. */
const JOINED = '.joined-';

export function isJoinedName(name: string): boolean {
  return name.startsWith(JOINED);
}

/** Where the files lie that come in chunks, in the order of the index. */
export function joinedPath(directory: string, number: number): string {
  return join(directory, `${JOINED}${number}`);
}

/** A file that comes in chunks, and how far it has come. */
type Joined = {
  readonly entry: IndexEntry;
  readonly path: string;
  readonly hash: Hash;
  /** Offset and size of each chunk, and whether its bytes lie there. */
  readonly chunks: readonly { readonly from: number; readonly size: number; written: boolean }[];
  /** Settles when the file is there; undefined while nobody needs it. */
  creation: Promise<void> | undefined;
  /** The first chunk that is not hashed yet. */
  next: number;
  queued: boolean;
};

/** One of the places where a chunk goes: a file may hold the same chunk many times over. */
type Place = { readonly file: Joined; readonly chunk: number };

export type JoinOptions = {
  /** Hashes chunks on another core, while this one hashes whole files. */
  readonly hasher?: Hasher | undefined;
  /** Told how many more bytes were hashed; may throw to end the work. */
  readonly onBytes: (bytes: number) => void;
};

/**
 * Puts files that come in chunks together where they lie, in any order of chunks. Every byte is held to two signed
 * digests: that of its chunk, when it arrives, and that of the whole file, as soon as the chunks before it are there.
 * Both are of the file as it lies in the staging directory, which nobody else writes to and which is what gets used.
 */
export class JoinedFiles {
  readonly #directory: string;
  readonly #options: JoinOptions;
  readonly #files = new Map<IndexEntry, Joined>();
  readonly #places = new Map<string, Place[]>();
  readonly #queue: Joined[] = [];
  readonly #hashing: Promise<void>;
  #wake: (() => void) | undefined;
  #ended = false;
  #abandoned = false;

  /** @param directory private; the files lie in it under names that start with a dot */
  constructor(directory: string, entries: readonly IndexEntry[], options: JoinOptions) {
    this.#directory = directory;
    this.#options = options;
    for (const entry of entries) if (entry.chunks !== undefined) this.#add(entry, entry.chunks);
    this.#hashing = this.#hashAll();
    // Looked at in `finish`; until then a failure is not unhandled.
    this.#hashing.catch(() => undefined);
  }

  /** Whether the blob is a chunk of one of the files. */
  has(sha256: string): boolean {
    return this.#places.has(sha256);
  }

  /** Takes a chunk to its place, and, when it is the one that was signed, to the others. @throws DurableError, also from its methods */
  async open(sha256: string): Promise<BlobSlot> {
    const [first, ...others] = this.#places.get(sha256) ?? [];
    if (first === undefined) throw new Error(`${sha256} is no chunk`);
    const { hasher } = this.#options;
    const { path } = first.file;
    const { from, size } = chunkAt(first);
    const handle = await this.#open(first.file);
    let written = 0;
    const done = () => handle.close();
    return {
      write: async (piece) => {
        await orDurable('write', path, () => writeFully(handle, piece, from + written));
        written += piece.length;
        if (written === size) this.#arrived(first);
      },
      ...(hasher && { digest: () => orDurable('read back', path, () => hasher.sha256({ fd: handle.fd, from, size })) }),
      commit: async () => {
        try {
          for (const place of others) await this.#copy(handle, first, place);
        } finally {
          await done();
        }
      },
      discard: done,
    };
  }

  /** Puts a blob that is a file of its own as well into the places where it is a chunk. @param path of its verified bytes */
  async fill(sha256: string, path: string): Promise<void> {
    await orDurable('read back', path, async () => {
      await using from = await open(path, 'r');
      for (const place of this.#places.get(sha256) ?? []) await this.#copy(from, undefined, place);
    });
  }

  /**
   * Chunks that an earlier run put in place, each held to its digest again.
   * @param onBytes told how many more bytes were hashed; may throw
   * @returns those that need not come again @throws DurableError
   */
  async recover(onBytes: (bytes: number) => void): Promise<ReadonlySet<string>> {
    const sound = new Set<string>();
    for (const file of this.#files.values()) if (isLeftOver(file)) file.creation = Promise.resolve();
    for (const [sha256, [first, ...others]] of this.#places) {
      if (first?.file.creation === undefined) continue;
      await orDurable('read back', first.file.path, async () => {
        await using handle = await open(first.file.path, O_RDONLY | (O_NOFOLLOW ?? 0));
        if ((await digestAt(handle, chunkAt(first), onBytes)) !== sha256) return;
        this.#arrived(first);
        for (const place of others) await this.#copy(handle, first, place);
        sound.add(sha256);
      });
    }
    return sound;
  }

  /** After the last chunk: waits until all that can be hashed is. @throws what `onBytes` threw; DurableError */
  async finish(): Promise<void> {
    this.#end();
    await this.#hashing;
  }

  /** When reading was given up. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    this.#end();
    await this.#hashing.catch(() => undefined);
  }

  /**
   * Moves a file to where it belongs.
   * @throws BundleError BLOB_MISMATCH (fault `untrusted`) when it is not the file that was signed, though its chunks are
   */
  place(entry: IndexEntry, target: string): void {
    const file = this.#files.get(entry);
    if (file === undefined || file.next < file.chunks.length || file.hash.digest('hex') !== entry.sha256) {
      const shown = escapeForTerminal(entry.path);
      throw untrusted('BLOB_MISMATCH', `${shown}: its chunks do not make up the file that was signed`);
    }
    this.#files.delete(entry);
    renameSync(file.path, target);
  }

  #add(entry: IndexEntry, chunks: NonNullable<IndexEntry['chunks']>): void {
    let end = 0;
    const places = chunks.map(({ size }) => {
      end += size;
      return { from: end - size, size, written: false };
    });
    const path = joinedPath(this.#directory, this.#files.size);
    const file = {
      entry,
      path,
      hash: createHash('sha256'),
      chunks: places,
      creation: undefined,
      next: 0,
      queued: false,
    };
    this.#files.set(entry, file);
    for (const [chunk, { sha256 }] of chunks.entries()) {
      const known = this.#places.get(sha256);
      if (known === undefined) this.#places.set(sha256, [{ file, chunk }]);
      else known.push({ file, chunk });
    }
  }

  async #open(file: Joined): Promise<FileHandle> {
    // Several chunks may want the file at once: whoever comes second waits until it is there.
    file.creation ??= this.#create(file);
    await file.creation;
    return orDurable('write', file.path, () => open(file.path, O_RDWR | (O_NOFOLLOW ?? 0)));
  }

  async #create({ path }: Joined): Promise<void> {
    await orDurable('create', path, async () => {
      // Left behind by a run that was killed, or a link somebody put there: it goes, what it points to stays.
      await rm(path, { force: true });
      await using _ = await open(path, O_RDWR | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), PRIVATE_FILE);
    });
  }

  async #copy(handle: FileHandle, source: Place | undefined, target: Place): Promise<void> {
    const base = source === undefined ? 0 : chunkAt(source).from;
    const { from, size } = chunkAt(target);
    await orDurable('write', target.file.path, async () => {
      await using to = await this.#open(target.file);
      const buffer = Buffer.allocUnsafeSlow(Math.min(COPY_BYTES, size));
      for (let done = 0; done < size; ) {
        const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, size - done), base + done);
        if (bytesRead === 0) throw new Error('it is shorter than it was');
        await writeFully(to, buffer.subarray(0, bytesRead), from + done);
        done += bytesRead;
      }
    });
    this.#arrived(target);
  }

  #arrived({ file, chunk }: Place): void {
    const place = file.chunks[chunk];
    if (place !== undefined) place.written = true;
    this.#offer(file);
  }

  #offer(file: Joined): void {
    // Given up, it would be offered again and again by who leaves it as it is.
    if (this.#abandoned || file.queued || file.chunks[file.next]?.written !== true) return;
    file.queued = true;
    this.#queue.push(file);
    this.#wake?.();
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async #hashAll(): Promise<void> {
    for (;;) {
      const file = this.#queue.shift();
      if (file !== undefined) await this.#hashOn(file);
      else if (this.#ended) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }

  /** On through the chunks that are there. */
  async #hashOn(file: Joined): Promise<void> {
    await orDurable('read back', file.path, async () => {
      await using handle = await open(file.path, 'r');
      for (let chunk = file.chunks[file.next]; chunk?.written === true; chunk = file.chunks[file.next]) {
        for await (const piece of readChunks(handle, chunk.size, chunk)) {
          if (this.#abandoned) return;
          this.#options.onBytes(piece.length);
          file.hash.update(piece);
        }
        file.next += 1;
      }
    });
    file.queued = false;
    // One may have come while the file was being closed.
    this.#offer(file);
  }
}

const COPY_BYTES = 1024 * 1024;
/** Enough to see that nothing was written there yet. */
export const GLANCE_BYTES = 4096;

/** Left by an earlier run, and ours alone; one that is longer than the file would keep what nobody signed at its end. */
function isLeftOver({ path, entry }: Joined): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.nlink === 1 && stat.size <= entry.size;
}

/** SHA-256 in hex of a stretch; undefined when its beginning is a hole. */
async function digestAt(
  handle: FileHandle,
  stretch: { readonly from: number; readonly size: number },
  onBytes: (bytes: number) => void,
): Promise<string | undefined> {
  const glance = new Uint8Array(Math.min(GLANCE_BYTES, stretch.size));
  await handle.read(glance, 0, glance.length, stretch.from);
  if (glance.every((byte) => byte === 0)) return undefined;
  const hash = createHash('sha256');
  for await (const piece of readChunks(handle, stretch.size, stretch)) {
    onBytes(piece.length);
    hash.update(piece);
  }
  return hash.digest('hex');
}

function chunkAt({ file, chunk }: Place): { readonly from: number; readonly size: number } {
  return file.chunks[chunk] ?? { from: 0, size: 0 };
}

/** What the system said becomes ours; everything else, such as the end that somebody asked for, passes. */
async function orDurable<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof DaemonEyeError || errnoOf(cause) === undefined) throw cause;
    throw durableErrorFrom(cause, doing, path);
  }
}
