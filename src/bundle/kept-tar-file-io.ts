import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { equalBytes } from '../core/bytes.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { syncDirectory } from '../durable/files-io.ts';
import { outputExists } from './output-io.ts';
import { assertReadsBack } from './read-back-io.ts';
import type { WrittenFile } from './tar-file-io.ts';

/**
 * A file that an earlier run left, compared with what would be written in its place: what is the same, byte for byte,
 * need not be written again. Every method throws BundleError OUTPUT_EXISTS as soon as it is another file, and DurableError
 * when the medium refuses.
 */
export class KeptTarFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  #bytes = 0;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  static async open(path: string): Promise<KeptTarFile> {
    try {
      const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
      if ((await handle.stat()).isFile()) return new KeptTarFile(path, handle);
      await handle.close();
    } catch (cause) {
      throw durableErrorFrom(cause, 'read', path);
    }
    throw outputExists(path);
  }

  async write(piece: Uint8Array): Promise<void> {
    if (!equalBytes(await this.#read(piece.length), piece)) throw outputExists(this.#path);
    this.#hash.update(piece);
    this.#bytes += piece.length;
  }

  /** Written through and read again, as a new one is: whoever left it may not have come to that. @throws BundleError PACK_MISMATCH */
  async finish(): Promise<WrittenFile> {
    if ((await this.#read(1)).length > 0) throw outputExists(this.#path);
    try {
      await this.#handle.sync();
      await this.#handle.close();
    } catch (cause) {
      throw durableErrorFrom(cause, 'write', this.#path);
    }
    const sha256 = this.#hash.digest('hex');
    const readBack = await assertReadsBack(this.#path, this.#path, sha256);
    syncDirectory(dirname(this.#path));
    return { sha256, bytes: this.#bytes, readBack };
  }

  /** It stays as it is. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }

  /** So many bytes from where the last read ended, or fewer at the end. */
  async #read(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    try {
      for (let done = 0; done < length; ) {
        const { bytesRead } = await this.#handle.read(bytes, done, length - done, this.#bytes + done);
        if (bytesRead === 0) return bytes.subarray(0, done);
        done += bytesRead;
      }
      return bytes;
    } catch (cause) {
      throw durableErrorFrom(cause, 'read', this.#path);
    }
  }
}
