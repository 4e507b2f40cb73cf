import { createHash, type Hash } from 'node:crypto';
import type { UntrustedFile } from '../archive/untrusted-file-io.ts';
import type { BlobStore, NewBlob } from './blob-store-io.ts';
import { CommitPool } from './commit-pool.ts';
import { CHUNK } from './format.ts';
import type { IndexChunk, IndexEntry } from './index-lines.ts';

/**
 * Turns files into blobs, each content stored once: one blob a file, or, over 64 MiB, one a chunk.
 */
export class FileBlobs {
  readonly #store: BlobStore;
  readonly #stored = new Set<string>();
  readonly #commits = new CommitPool();

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /**
   * Copies a file while hashing it, so that the digest is of the bytes that were stored, whatever happens to the file.
   * @throws ArchiveError FILE_CHANGED or READ_FAILED; DurableError
   */
  async add(file: UntrustedFile): Promise<Pick<IndexEntry, 'size' | 'sha256' | 'chunks'>> {
    const chunked = file.size > CHUNK;
    const whole = createHash('sha256');
    const chunks: IndexChunk[] = [];
    let blob = await this.#begin();
    try {
      for await (const piece of file.chunks()) {
        if (chunked) whole.update(piece);
        for (let from = 0; from < piece.length; ) {
          if (blob.size === CHUNK) {
            chunks.push(await this.#finish(blob));
            blob = await this.#begin();
          }
          const part = piece.subarray(from, from + CHUNK - blob.size);
          await append(blob, part);
          from += part.length;
        }
      }
    } catch (thrown) {
      await blob.file.discard();
      throw thrown;
    }
    const last = await this.#finish(blob);
    if (!chunked) return last;
    return { size: file.size, sha256: whole.digest('hex'), chunks: [...chunks, last] };
  }

  /** Stores what was made here. @param bytes at most {@link CHUNK} @throws DurableError */
  async addBytes(bytes: Uint8Array): Promise<Pick<IndexEntry, 'size' | 'sha256'>> {
    const blob = await this.#begin();
    try {
      await append(blob, bytes);
    } catch (thrown) {
      await blob.file.discard();
      throw thrown;
    }
    return this.#finish(blob);
  }

  /** Waits until everything is durable. @throws DurableError */
  async finish(): Promise<void> {
    await this.#commits.finish();
    await this.#store.sync();
  }

  /** When building was given up: waits for what is under way. */
  async abandon(): Promise<void> {
    await this.#commits.abandon();
  }

  async #begin(): Promise<OpenBlob> {
    return { file: await this.#store.create(), hash: createHash('sha256'), size: 0 };
  }

  async #finish({ file, hash, size }: OpenBlob): Promise<IndexChunk> {
    const sha256 = hash.digest('hex');
    if (this.#stored.has(sha256)) {
      await file.discard();
      return { sha256, size };
    }
    this.#stored.add(sha256);
    await this.#commits.add(file.commit(sha256));
    return { sha256, size };
  }
}

type OpenBlob = { readonly file: NewBlob; readonly hash: Hash; size: number };

async function append(blob: OpenBlob, part: Uint8Array): Promise<void> {
  // The write goes to the disk while this thread hashes.
  const writing = blob.file.write(part);
  blob.hash.update(part);
  blob.size += part.length;
  await writing;
}
