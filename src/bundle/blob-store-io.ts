import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { createDirectoryDurably, syncDirectory } from '../durable/files-io.ts';
import { syncFiles } from '../durable/sync-many-io.ts';
import type { BlobSink } from './blob-receiver.ts';
import type { Hasher } from './hasher-io.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
/** A blob of this size is synced by itself, while the next is read; smaller ones wait for each other. */
const SYNC_ALONE = 1024 * 1024;
/** A blob of this size is worth the way to another thread. */
const HASH_ELSEWHERE = 1024 * 1024;

export type BlobOptions = {
  /** Permission bits of the files, exactly, whatever the umask. */
  readonly mode: number;
  /** Whether {@link BlobStore.sync} makes the blobs survive a power cut. */
  readonly durable: boolean;
};

/** A directory of files named by their digest. Unfinished ones have names that start with a dot. */
export class BlobStore {
  readonly #directory: string;
  readonly #options: BlobOptions;
  readonly #unsynced: string[] = [];
  #created = 0;

  constructor(directory: string, options: BlobOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  /** An empty blob whose name is not known yet. @throws DurableError */
  async create(): Promise<NewBlob> {
    this.#created += 1;
    const path = join(this.#directory, `.${this.#created}.part`);
    try {
      const handle = await this.#open(path);
      return new NewBlob(this.#directory, path, handle, this.#options, (sha256) => this.#unsynced.push(sha256));
    } catch (cause) {
      throw durableErrorFrom(cause, 'create', path);
    }
  }

  /** Makes every blob that was committed durable, if asked to: the contents, then the names. @throws DurableError */
  async sync(): Promise<void> {
    if (!this.#options.durable) return;
    await syncFiles(this.#directory, this.#unsynced.splice(0));
    syncDirectory(this.#directory);
  }

  async #open(path: string): Promise<FileHandle> {
    const flags = O_RDWR | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0);
    try {
      return await open(path, flags, this.#options.mode);
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw cause;
      // Left behind by a run that was killed, or a link somebody put there: it goes, what it points to stays.
      await rm(path, { force: true });
      return open(path, flags, this.#options.mode);
    }
  }
}

export class NewBlob {
  readonly #directory: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #options: BlobOptions;
  readonly #leaveUnsynced: (sha256: string) => void;
  #size = 0;

  constructor(
    directory: string,
    path: string,
    handle: FileHandle,
    options: BlobOptions,
    leaveUnsynced: (sha256: string) => void,
  ) {
    this.#directory = directory;
    this.#path = path;
    this.#handle = handle;
    this.#options = options;
    this.#leaveUnsynced = leaveUnsynced;
  }

  /** @throws DurableError */
  async write(chunk: Uint8Array): Promise<void> {
    try {
      await writeFully(this.#handle, chunk);
      this.#size += chunk.length;
    } catch (cause) {
      throw durableErrorFrom(cause, 'write', this.#path);
    }
  }

  /** SHA-256 in hex of what was written, read back on another core. @throws DurableError */
  async digest(hasher: Hasher): Promise<string> {
    try {
      return await hasher.sha256({ fd: this.#handle.fd, from: 0, size: this.#size });
    } catch (cause) {
      throw durableErrorFrom(cause, 'read back', this.#path);
    }
  }

  /** Gives the bytes their name; they are durable after {@link BlobStore.sync}. On an error nothing is left. @throws DurableError */
  async commit(sha256: string): Promise<void> {
    try {
      await this.#handle.chmod(this.#options.mode);
      const { durable } = this.#options;
      const alone = this.#size >= SYNC_ALONE;
      if (durable && alone) await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#path, join(this.#directory, sha256));
      if (durable && !alone) this.#leaveUnsynced(sha256);
    } catch (cause) {
      await this.discard();
      throw durableErrorFrom(cause, 'write', join(this.#directory, sha256));
    }
  }

  async discard(): Promise<void> {
    await this.#handle.close();
    await rm(this.#path, { force: true });
  }
}

export type StageOptions = {
  /** false for what nothing will rest on as it is: no fsync; default true */
  readonly durable?: boolean;
  /** Hashes large blobs, whenever it has nothing else to do: so two cores share the work. */
  readonly hasher?: Hasher | undefined;
};

/**
 * Stages blobs as `directory/<sha256>`: files 0600 in a directory 0700, all of it durable once `finish` is through. A
 * blob staged before is replaced by the same bytes.
 * @throws DurableError, also from every method
 */
export function directoryBlobSink(directory: string, { durable = true, hasher }: StageOptions = {}): BlobSink {
  createDirectoryDurably(directory, { mode: PRIVATE_DIRECTORY });
  const store = new BlobStore(directory, { mode: PRIVATE_FILE, durable });
  return {
    async open(sha256, size) {
      const blob = await store.create();
      return {
        write: (chunk) => blob.write(chunk),
        commit: () => blob.commit(sha256),
        discard: () => blob.discard(),
        ...(hasher?.idle === true && size >= HASH_ELSEWHERE ? { digest: () => blob.digest(hasher) } : {}),
      };
    },
    async finish() {
      await store.sync();
    },
  };
}

/** All of it: a write may be short. @param position in the file; without it, where the last write ended */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === undefined ? null : position + done;
    done += (await handle.write(bytes, done, bytes.length - done, at)).bytesWritten;
  }
}
