import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { concatBytes } from '../core/bytes.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { hostile } from './errors.ts';
import { readChunks } from './file-chunks-io.ts';
import { readErrorFrom } from './read-errors.ts';

const SETUID_SETGID = 0o6000n;
const OWNER_EXECUTE = 0o100n;

/** A regular file that someone else may still be writing to: opened once, looked at once, read once. */
export class UntrustedFile {
  /** As the user knows it; for messages. */
  readonly path: string;
  /** Bytes, when it was opened. */
  readonly size: number;
  readonly executable: boolean;
  readonly #handle: FileHandle;
  readonly #opened: BigIntStats;

  private constructor(path: string, handle: FileHandle, opened: BigIntStats) {
    this.path = path;
    this.size = Number(opened.size);
    this.executable = (opened.mode & OWNER_EXECUTE) !== 0n;
    this.#handle = handle;
    this.#opened = opened;
  }

  /**
   * @param path what to open @param shown the same as the user knows it
   * @param inode when given, what an lstat just before saw there
   * @throws ArchiveError DIRECTORY_LINK, DIRECTORY_SPECIAL, DIRECTORY_TYPE (a directory), DIRECTORY_CHANGED,
   *   DIRECTORY_SETUID, NOT_FOUND, NO_PERMISSION or READ_FAILED
   */
  static async open(path: string, shown: string, inode?: bigint): Promise<UntrustedFile> {
    try {
      // O_NONBLOCK: opening a pipe for reading would otherwise wait for a writer for ever. Windows has neither flag.
      const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
      const handle = await open(path, flags);
      try {
        const opened = await handle.stat({ bigint: true });
        assertPlainFile(opened, `"${escapeForTerminal(shown)}"`, inode);
        return new UntrustedFile(shown, handle, opened);
      } catch (thrown) {
        await handle.close();
        throw thrown;
      }
    } catch (thrown) {
      throw readErrorFrom(thrown, shown);
    }
  }

  /** The first bytes, to tell what kind of file it is; nothing else may rest on them. @throws ArchiveError READ_FAILED */
  async peek(length: number): Promise<Uint8Array> {
    try {
      const { buffer, bytesRead } = await this.#handle.read(Buffer.alloc(length), 0, length, 0);
      return buffer.subarray(0, bytesRead);
    } catch (thrown) {
      throw readErrorFrom(thrown, this.path);
    }
  }

  /**
   * The bytes, in pieces that are valid until the next is asked for.
   * @throws ArchiveError FILE_CHANGED when the file grows, shrinks or is written to meanwhile; READ_FAILED
   */
  async *chunks(): AsyncGenerator<Uint8Array> {
    let read = 0;
    try {
      for await (const piece of readChunks(this.#handle, this.size)) {
        read += piece.length;
        if (read > this.size) throw this.#changed('grew');
        yield piece;
      }
      if (read < this.size) throw this.#changed('shrank');
      const now = await this.#handle.stat({ bigint: true });
      if (now.mtimeNs !== this.#opened.mtimeNs || now.size !== this.#opened.size) throw this.#changed('was written to');
    } catch (thrown) {
      throw readErrorFrom(thrown, this.path);
    }
  }

  /** All of a small file. @throws ArchiveError FILE_TOO_LARGE, and as {@link chunks} */
  async readAll(maxBytes: number): Promise<Uint8Array> {
    if (this.size > maxBytes) {
      throw hostile('FILE_TOO_LARGE', `${this.#shown()} has ${this.size} bytes; at most ${maxBytes} are allowed`);
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of this.chunks()) pieces.push(new Uint8Array(piece));
    return concatBytes(...pieces);
  }

  /** What was read stands: an error of the medium comes too late to say anything of it. */
  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #changed(how: string): Error {
    return hostile('FILE_CHANGED', `${this.#shown()} ${how} while it was read; copy it to a place of your own first`);
  }

  #shown(): string {
    return `"${escapeForTerminal(this.path)}"`;
  }
}

function assertPlainFile(opened: BigIntStats, shown: string, inode: bigint | undefined): void {
  if (opened.isDirectory()) throw hostile('DIRECTORY_TYPE', `${shown} is a directory, not a file`);
  if (!opened.isFile()) throw hostile('DIRECTORY_SPECIAL', `${shown} is a device, pipe or socket; remove it`);
  if (inode !== undefined && inode !== opened.ino) {
    throw hostile('DIRECTORY_CHANGED', `${shown} was replaced while it was opened`);
  }
  if ((opened.mode & SETUID_SETGID) !== 0n) {
    throw hostile('DIRECTORY_SETUID', `${shown} is set-user-id or set-group-id; clear the bit (chmod ug-s)`);
  }
}
