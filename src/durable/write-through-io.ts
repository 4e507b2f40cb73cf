import { closeSync, constants, openSync, readSync, statSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/**
 * Durability without fsync, for processes under Node's permission model, which refuses fsync, fdatasync and fchmod on
 * every descriptor (measured on Node 26.10). What remains is to write synchronously: on a descriptor opened with O_DSYNC
 * a write returns when its data, and what is needed to find it again, is on the disk, as after fdatasync; with O_SYNC,
 * as after fsync (open(2)). See docs/decisions/0008-procmond-without-fsync.md.
 */

const { O_CREAT, O_DSYNC, O_NOFOLLOW, O_RDWR, O_SYNC } = constants;

/** Written and not synchronised: then written through, whether or not anybody asks. */
const MAX_PENDING_BYTES = 1024 * 1024;

/** Whether this process may not call fsync. */
export function mustWriteThrough(): boolean {
  return process.permission !== undefined;
}

/** The flag with which {@link mustWriteThrough} has files opened; 0 where fsync will follow. */
export function throughFlag(): number {
  return mustWriteThrough() ? O_SYNC : 0;
}

/**
 * In place of fsync on a directory, after a rename: a synchronous write of what is there already, under the new name.
 * It carries the rename to the disk on ext4, XFS and Btrfs, whose fsync of a file covers its own renames. Of
 * directories and files without content nothing can be written again.
 */
export function writeThroughName(path: string): void {
  const stats = statSync(path);
  const { size } = stats;
  if (!stats.isFile() || size === 0) return;
  const fd = openSync(path, O_RDWR | O_SYNC | O_NOFOLLOW);
  try {
    const last = new Uint8Array(1);
    readSync(fd, last, 0, 1, size - 1);
    writeSync(fd, last, 0, 1, size - 1);
  } finally {
    closeSync(fd);
  }
}

/** A file of a log: see `LedgerFile`, which this is. */
export type WrittenThrough = {
  readonly write: (bytes: Uint8Array, position: number) => Promise<void>;
  readonly sync: () => Promise<void>;
  readonly truncate: (length: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

/**
 * Opens a file that is synchronised by writing, and creates it with mode 0600 where missing. `write` writes as usual, so
 * that a full disk shows there; `sync` writes the same bytes again, from memory, synchronously: what the kernel may have
 * dropped of a failed write-back is never read again. Throws what node:fs throws; after a failed `sync`, always.
 */
export async function openWrittenThrough(path: string): Promise<WrittenThrough> {
  const plain = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  try {
    return new SynchronousFile(plain, await open(path, O_RDWR | O_DSYNC | O_NOFOLLOW));
  } catch (error) {
    await plain.close();
    throw error;
  }
}

class SynchronousFile implements WrittenThrough {
  readonly #plain: FileHandle;
  readonly #synchronous: FileHandle;
  #pending: { readonly bytes: Uint8Array; readonly position: number }[] = [];
  #pendingBytes = 0;
  #isCut = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(plain: FileHandle, synchronous: FileHandle) {
    this.#plain = plain;
    this.#synchronous = synchronous;
  }

  readonly write = async (bytes: Uint8Array, position: number): Promise<void> => {
    this.#assertWhole();
    await writeAll(this.#plain, bytes, position);
    this.#pending.push({ bytes, position });
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > MAX_PENDING_BYTES) await this.sync();
  };

  readonly sync = async (): Promise<void> => {
    this.#assertWhole();
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      for (const { bytes, position } of pending) await writeAll(this.#synchronous, bytes, position);
      if (pending.length === 0 && this.#isCut) await this.#rewriteEnd();
    } catch (error) {
      // As after a failed fsync: nothing is known of the file any more, so that nobody goes on with it.
      this.#failure = { error };
      throw error;
    }
    this.#isCut = false;
  };

  readonly truncate = async (length: number): Promise<void> => {
    this.#assertWhole();
    await this.#plain.truncate(length);
    // What was cut off must not come back.
    this.#pending = this.#pending.flatMap(({ bytes, position }) => {
      const kept = bytes.subarray(0, Math.max(0, length - position));
      return kept.length === 0 ? [] : [{ bytes: kept, position }];
    });
    this.#isCut = true;
  };

  readonly close = async (): Promise<void> => {
    await this.#plain.close();
    await this.#synchronous.close();
  };

  /** The new length becomes durable with a write to the end. */
  async #rewriteEnd(): Promise<void> {
    const { size } = await this.#plain.stat();
    if (size === 0) return;
    const { buffer } = await this.#plain.read(Buffer.alloc(1), 0, 1, size - 1);
    await writeAll(this.#synchronous, buffer, size - 1);
  }

  #assertWhole(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
