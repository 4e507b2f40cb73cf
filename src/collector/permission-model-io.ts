import fs, { chmodSync, closeSync, constants, fstatSync, openSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import sqlite, { DatabaseSync } from 'node:sqlite';
import type { LedgerFile } from '../ledger/ledger-file-io.ts';

/**
 * Where Node's permission model is not what a log needs (measured on Node 26.10), and what procmond does about it.
 *
 * Too strict: fsync, fdatasync and fchmod are refused outright, on any descriptor. Files are synchronised by writing
 * through a descriptor that was opened with O_DSYNC instead: such a write returns when its data, and whatever is needed
 * to find it again, are on the disk, as after fdatasync (open(2)).
 *
 * Too lax: SQLite is native and opens any file the user can, for writing too.
 */

const { O_CREAT, O_DSYNC, O_NOFOLLOW, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const COPY_BYTES = 256 * 1024;
/** Written and not synchronised: then written through, whether or not anybody asks. */
const MAX_PENDING_BYTES = 1024 * 1024;

/**
 * Lets `src/durable` do its work: replaces fsyncSync and fchmodSync of node:fs, for this process.
 *
 * A directory can't be synchronised without fsync. On the file systems that Linux installs on (ext4, XFS, Btrfs) the
 * name of a new file becomes durable with the first synchronous write to it; elsewhere, a power cut within seconds of a
 * log's rotation may lose the new file, which the ledger then reports as tampering rather than hide.
 */
export function adaptDurability(): void {
  fs.fsyncSync = syncByWriting;
  fs.fchmodSync = (fd, mode) => chmodSync(pathOf(fd), mode);
  syncBuiltinESMExports();
}

function syncByWriting(fd: number): void {
  if (!fstatSync(fd).isFile()) return;
  const path = pathOf(fd);
  const [from, to] = [openSync(path, O_RDONLY | O_NOFOLLOW), openSync(path, O_WRONLY | O_DSYNC | O_NOFOLLOW)];
  try {
    const chunk = Buffer.allocUnsafe(COPY_BYTES);
    for (let at = 0, bytes = readSync(from, chunk, 0, chunk.length, at); bytes > 0; ) {
      for (let done = 0; done < bytes; ) done += writeSync(to, chunk, done, bytes - done, at + done);
      at += bytes;
      bytes = readSync(from, chunk, 0, chunk.length, at);
    }
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

/** Of a file that this process has just opened below its own directories. */
function pathOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

/**
 * A ledger's file without fdatasync: `write` writes as usual, so that a full disk shows there; `sync` writes the same
 * bytes again, synchronously.
 */
export async function openSynchronousFile(path: string): Promise<LedgerFile> {
  const plain = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  let synchronous: FileHandle;
  try {
    synchronous = await open(path, O_RDWR | O_DSYNC | O_NOFOLLOW);
  } catch (error) {
    await plain.close();
    throw error;
  }
  return new SynchronousFile(plain, synchronous);
}

class SynchronousFile implements LedgerFile {
  readonly #plain: FileHandle;
  readonly #synchronous: FileHandle;
  #pending: { readonly bytes: Uint8Array; readonly position: number }[] = [];
  #pendingBytes = 0;
  #isCut = false;

  constructor(plain: FileHandle, synchronous: FileHandle) {
    this.#plain = plain;
    this.#synchronous = synchronous;
  }

  readonly write = async (bytes: Uint8Array, position: number): Promise<void> => {
    await writeAll(this.#plain, bytes, position);
    this.#pending.push({ bytes, position });
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes > MAX_PENDING_BYTES) await this.sync();
  };

  readonly sync = async (): Promise<void> => {
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (const { bytes, position } of pending) await writeAll(this.#synchronous, bytes, position);
    if (pending.length === 0 && this.#isCut) await this.#rewriteEnd();
    this.#isCut = false;
  };

  readonly truncate = async (length: number): Promise<void> => {
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
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/**
 * Gives up node:sqlite, for good and for every module of this process: what it exports is emptied, and importing it by
 * any way is refused. The ledger's lock needs it, once: so procmond opens its log first, and closes this door before it
 * looks at anything that others control. The lock stays held.
 */
export function closeNativeDoors(): void {
  // A database in use would still lead to its class.
  Reflect.deleteProperty(DatabaseSync.prototype, 'constructor');
  for (const name of Object.keys(sqlite)) Reflect.deleteProperty(sqlite, name);
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context);
      if (resolved.url === 'node:sqlite') throw new TypeError('procmond has given up node:sqlite');
      return resolved;
    },
  });
}
