import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, syncDirectory } from '../durable/files-io.ts';
import type { BlobSink } from './blob-receiver.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

export type BlobOptions = {
  /** Permission bits of the files, exactly, whatever the umask. */
  readonly mode: number;
  /** Whether a blob is fsynced before it gets its name. */
  readonly durable: boolean;
};

/** A directory of files named by their digest. Unfinished ones have names that start with a dot. */
export class BlobStore {
  readonly #directory: string;
  readonly #options: BlobOptions;
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
      // Left behind by a run that was killed.
      await rm(path, { force: true });
      const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
      const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), this.#options.mode);
      return new NewBlob(this.#directory, path, handle, this.#options);
    } catch (cause) {
      throw durableErrorFrom(cause, 'create', path);
    }
  }

  /** Makes the names durable, as the contents are since their commit. @throws DurableError */
  sync(): void {
    if (this.#options.durable) syncDirectory(this.#directory);
  }
}

export class NewBlob {
  readonly #directory: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #options: BlobOptions;

  constructor(directory: string, path: string, handle: FileHandle, options: BlobOptions) {
    this.#directory = directory;
    this.#path = path;
    this.#handle = handle;
    this.#options = options;
  }

  /** @throws DurableError */
  async write(chunk: Uint8Array): Promise<void> {
    try {
      await writeFully(this.#handle, chunk);
    } catch (cause) {
      throw durableErrorFrom(cause, 'write', this.#path);
    }
  }

  /** Makes the bytes durable if asked to, then gives them their name. On an error nothing is left. @throws DurableError */
  async commit(sha256: string): Promise<void> {
    try {
      await this.#handle.chmod(this.#options.mode);
      if (this.#options.durable) await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#path, join(this.#directory, sha256));
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

/**
 * Stages blobs as `directory/<sha256>`: files 0600, each fsynced before it gets its name, in a directory 0700, itself
 * synced at the end. A blob staged before is replaced by the same bytes.
 * @param options.durable false for a look that nothing will rest on: no fsync; default true
 * @throws DurableError, also from every method
 */
export function directoryBlobSink(directory: string, options: { readonly durable?: boolean } = {}): BlobSink {
  createDirectoryDurably(directory, { mode: PRIVATE_DIRECTORY });
  const store = new BlobStore(directory, { mode: PRIVATE_FILE, durable: options.durable ?? true });
  return {
    async open(sha256) {
      const blob = await store.create();
      return {
        write: (chunk) => blob.write(chunk),
        commit: () => blob.commit(sha256),
        discard: () => blob.discard(),
      };
    },
    async finish() {
      store.sync();
    },
  };
}

/** All of it: a write may be short. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}
