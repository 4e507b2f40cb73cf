import { createHash } from 'node:crypto';
import { constants, renameSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { durableErrorFrom } from '../durable/errors.ts';
import { removeAnyway, syncDirectory, temporaryName } from '../durable/files-io.ts';
import { writeFully } from './blob-store-io.ts';
import { assertReadsBack, type ReadBack } from './read-back-io.ts';

export type WrittenFile = {
  /** Of the whole file, hex; what `sha256sum` prints. */
  readonly sha256: string;
  readonly bytes: number;
  /** How it was read again. */
  readonly readBack: ReadBack;
};

const PUBLIC_FILE = 0o644;
/** Small pieces (headers, padding) are gathered up to this before they are written. */
const WRITE_BYTES = 256 * 1024;

/**
 * A file for a stick, being written: under its name it appears complete, durable and read back, or not at all.
 * Every method throws DurableError when the medium refuses.
 */
export class NewTarFile {
  readonly #out: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  readonly #gathered = new Uint8Array(WRITE_BYTES);
  #filled = 0;
  #bytes = 0;

  private constructor(out: string, temporary: string, handle: FileHandle) {
    this.#out = out;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /** @param out absolute; nothing is there yet @throws DurableError */
  static async create(out: string): Promise<NewTarFile> {
    const temporary = temporaryName(out);
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    try {
      const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), PUBLIC_FILE);
      return new NewTarFile(out, temporary, handle);
    } catch (cause) {
      throw durableErrorFrom(cause, 'create', out);
    }
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The piece may be reused once this resolves. */
  async write(piece: Uint8Array): Promise<void> {
    this.#bytes += piece.length;
    if (this.#filled + piece.length > WRITE_BYTES) await this.#flush();
    if (piece.length >= WRITE_BYTES) return this.#put(piece);
    this.#gathered.set(piece, this.#filled);
    this.#filled += piece.length;
  }

  /**
   * Writes through to the medium, reads the file again and compares it, then gives it its name. (What the medium does
   * after is for the verifier on the other side.)
   * @throws BundleError PACK_MISMATCH; DurableError
   */
  async finish(): Promise<WrittenFile> {
    await this.#flush();
    const sha256 = this.#hash.digest('hex');
    try {
      await this.#handle.chmod(PUBLIC_FILE);
      await this.#handle.sync();
      await this.#handle.close();
    } catch (cause) {
      throw durableErrorFrom(cause, 'write', this.#out);
    }
    const readBack = await assertReadsBack(this.#temporary, this.#out, sha256);
    try {
      renameSync(this.#temporary, this.#out);
    } catch (cause) {
      throw durableErrorFrom(cause, 'write', this.#out);
    }
    syncDirectory(dirname(this.#out));
    return { sha256, bytes: this.#bytes, readBack };
  }

  /** Leaves nothing, where the medium lets us; after {@link finish} it changes nothing. */
  async discard(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
    removeAnyway(this.#temporary);
  }

  async #flush(): Promise<void> {
    if (this.#filled > 0) await this.#put(this.#gathered.subarray(0, this.#filled));
    this.#filled = 0;
  }

  async #put(block: Uint8Array): Promise<void> {
    try {
      // The write goes to the disk while this thread hashes.
      const writing = writeFully(this.#handle, block);
      this.#hash.update(block);
      await writing;
    } catch (cause) {
      throw durableErrorFrom(cause, 'write', this.#out);
    }
  }
}
