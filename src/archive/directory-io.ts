import { constants, existsSync } from 'node:fs';
import { type FileHandle, lstat, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareUtf8, decodeUtf8 } from '../core/bytes.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { hostile } from './errors.ts';
import { errnoOf, readErrorFrom } from './read-errors.ts';
import { UntrustedFile } from './untrusted-file-io.ts';

export type DirectoryName = { readonly name: string; readonly kind: 'file' | 'directory' };

/** Names fetched from the kernel at a time. */
const LIST_BATCH = 1024;

/**
 * A directory that someone else filled, and may still be changing: a USB stick, a share, an upload.
 *
 * Only regular files and directories exist in it; anything else is refused, by its own code. On Linux every step goes
 * through the open descriptor of the directory before it (`/proc/self/fd`, the nearest thing to openat), so no
 * component can be swapped for a link between check and use. Elsewhere each open is compared with an lstat before it,
 * which leaves a window; what is read there is held to its signed digest all the same.
 *
 * Hard links are accepted: NTFS reports two links for every name that isn't 8.3, and deduplicating copies make them
 * honestly. They give a reader nothing: a file is opened once, read once, and used only if its digest is the signed one.
 */
export class UntrustedDirectory {
  /** As the user knows it; for messages. */
  readonly path: string;
  readonly #handle: FileHandle | undefined;
  readonly #base: string;

  private constructor(path: string, handle: FileHandle | undefined) {
    this.path = path;
    this.#handle = handle;
    this.#base = handle === undefined ? path : `/proc/self/fd/${handle.fd}`;
  }

  /**
   * Opens the directory an operator named; that path itself may go through links.
   * @throws ArchiveError NOT_FOUND, NO_PERMISSION, DIRECTORY_TYPE or READ_FAILED
   */
  static async open(path: string): Promise<UntrustedDirectory> {
    return openAnchored(path, path, 0, (handle) => new UntrustedDirectory(path, handle));
  }

  /**
   * Every name, sorted by bytes.
   * @throws ArchiveError DIRECTORY_LINK, DIRECTORY_SPECIAL (device, pipe, socket), DIRECTORY_NAME (not UTF-8),
   *   DIRECTORY_TOO_MANY, NO_PERMISSION or READ_FAILED
   */
  async names(maxNames: number): Promise<DirectoryName[]> {
    const names: DirectoryName[] = [];
    try {
      // Latin-1 keeps the raw bytes: a name that isn't UTF-8 must not turn into another that is.
      for await (const entry of await opendir(this.#base, { encoding: RAW_NAMES, bufferSize: LIST_BATCH })) {
        const name = this.#decodeName(entry.name);
        const shown = this.#shown(name);
        if (entry.isSymbolicLink()) throw hostile('DIRECTORY_LINK', `${shown} is a symbolic link; remove it`);
        if (!entry.isFile() && !entry.isDirectory()) {
          throw hostile('DIRECTORY_SPECIAL', `${shown} is a device, pipe or socket; remove it`);
        }
        if (names.length === maxNames)
          throw hostile('DIRECTORY_TOO_MANY', `${this.#shown('')} has over ${maxNames} names`);
        names.push({ name, kind: entry.isFile() ? 'file' : 'directory' });
      }
    } catch (thrown) {
      throw readErrorFrom(thrown, this.path);
    }
    return names.sort((a, b) => compareUtf8(a.name, b.name));
  }

  /** Whether anything has this name. @throws ArchiveError NO_PERMISSION or READ_FAILED */
  async has(name: string): Promise<boolean> {
    try {
      await lstat(join(this.#base, name));
      return true;
    } catch (thrown) {
      if (errnoOf(thrown) === 'ENOENT') return false;
      throw readErrorFrom(thrown, join(this.path, name));
    }
  }

  /** A directory in this one. @throws ArchiveError DIRECTORY_CHANGED when it no longer is one, and as {@link open} */
  async directory(name: string): Promise<UntrustedDirectory> {
    const shown = join(this.path, name);
    await this.#assertStill(name, 'directory');
    return openAnchored(
      join(this.#base, name),
      shown,
      constants.O_NOFOLLOW,
      (handle) => new UntrustedDirectory(shown, handle),
    );
  }

  /**
   * A file in this one, opened without following a link and without waiting for a pipe's other end.
   * @throws ArchiveError DIRECTORY_LINK, DIRECTORY_SPECIAL, DIRECTORY_TYPE, DIRECTORY_SETUID, NOT_FOUND, NO_PERMISSION
   *   or READ_FAILED
   */
  async file(name: string): Promise<UntrustedFile> {
    const expected = await this.#assertStill(name, 'file');
    return UntrustedFile.open(join(this.#base, name), join(this.path, name), expected);
  }

  /** What was read stands: an error of the medium comes too late to say anything of it. */
  async close(): Promise<void> {
    await this.#handle?.close().catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Where nothing anchors the path: what is there now, to be compared with what gets opened. */
  async #assertStill(name: string, kind: DirectoryName['kind']): Promise<bigint | undefined> {
    if (this.#handle !== undefined) return undefined;
    try {
      const found = await lstat(join(this.#base, name), { bigint: true });
      if (found.isSymbolicLink()) throw hostile('DIRECTORY_LINK', `${this.#shown(name)} is a symbolic link; remove it`);
      if (kind === 'directory' && !found.isDirectory()) {
        throw hostile('DIRECTORY_CHANGED', `${this.#shown(name)} is no longer a directory`);
      }
      return found.ino;
    } catch (thrown) {
      throw readErrorFrom(thrown, join(this.path, name));
    }
  }

  #decodeName(raw: string): string {
    if (RAW_NAMES === 'utf8') return raw;
    try {
      return decodeUtf8(Buffer.from(raw, RAW_NAMES));
    } catch (cause) {
      throw hostile('DIRECTORY_NAME', `${this.#shown(raw)} is not a UTF-8 name; rename it`, cause);
    }
  }

  #shown(name: string): string {
    return `"${escapeForTerminal(join(this.path, name))}"`;
  }
}

/** Windows names are UTF-16 in the kernel; everywhere else they are bytes. */
const RAW_NAMES = process.platform === 'win32' ? 'utf8' : 'latin1';

/** Whether an open directory can be stepped through by its descriptor. */
const ANCHORED = process.platform === 'linux' && existsSync('/proc/self/fd');

async function openAnchored<T>(
  path: string,
  shown: string,
  flags: number,
  make: (handle?: FileHandle) => T,
): Promise<T> {
  try {
    if (ANCHORED) return make(await open(path, constants.O_RDONLY | constants.O_DIRECTORY | flags));
    await (await opendir(path)).close();
    return make();
  } catch (thrown) {
    // With O_NOFOLLOW a link also answers ENOTDIR; the listing said directory, so it was swapped since.
    if (errnoOf(thrown) === 'ENOTDIR') {
      throw hostile('DIRECTORY_TYPE', `"${escapeForTerminal(shown)}" is not a directory`, thrown);
    }
    throw readErrorFrom(thrown, shown);
  }
}
