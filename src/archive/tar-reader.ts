import { compareUtf8, concatBytes } from '../core/bytes.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { hostile } from './errors.ts';
import { hasTarChecksum, isZero, parseTarHeader, TAR_BLOCK, type TarHeader, tarPadding } from './tar-header.ts';
import type { NameOrder } from './tar-writer.ts';

export type TarLimits = {
  readonly maxEntries: number;
  /** Largest body, in bytes. */
  readonly maxEntryBytes: number;
  /** Names must ascend strictly by this order; default: by bytes. */
  readonly order?: NameOrder;
};

/**
 * Reads an archive from outside, once, in constant memory. It accepts exactly what `writeTar` makes: whoever reads
 * such an archive with another tool sees the same files, because there is only one way to write them.
 */
export class TarReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #limits: TarLimits;
  readonly #order: NameOrder;
  #buffered: Uint8Array = new Uint8Array(0);
  #entry: TarHeader | undefined;
  #left = 0;
  #entries = 0;
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>, limits: TarLimits) {
    this.#source = source[Symbol.asyncIterator]();
    this.#limits = limits;
    this.#order = limits.order ?? compareUtf8;
  }

  /**
   * Goes to the next file, past whatever was left of this one; undefined at the end, which is then proven to be the
   * end: two zero blocks and no byte after.
   *
   * @throws ArchiveError (fault `untrusted`) as `parseTarHeader`, and TAR_DUPLICATE, TAR_ORDER, TAR_TOO_MANY,
   *   TAR_ENTRY_TOO_LARGE, TAR_PADDING, TAR_TRUNCATED, TAR_MISSING_EOF, TAR_TRAILING or TAR_CONCATENATED
   */
  async next(): Promise<TarHeader | undefined> {
    if (this.#ended) return undefined;
    await this.#finishEntry();
    const block = await this.#block('TAR_MISSING_EOF');
    if (isZero(block)) {
      await this.#assertEnd();
      this.#ended = true;
      return undefined;
    }
    const header = parseTarHeader(block);
    this.#admit(header);
    this.#entry = header;
    this.#left = header.size;
    return header;
  }

  /**
   * The next piece of the current file, undefined at its end. A piece is valid until the next call.
   * @throws ArchiveError TAR_TRUNCATED
   */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    if (this.#buffered.length === 0 && !(await this.#fill())) {
      throw hostile('TAR_TRUNCATED', `the archive ends inside ${this.#shown()}: it was cut off or not fully copied`);
    }
    const piece = this.#buffered.subarray(0, this.#left);
    this.#buffered = this.#buffered.subarray(piece.length);
    this.#left -= piece.length;
    return piece;
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    this.#ended = true;
    await this.#source.return?.();
  }

  #admit(header: TarHeader): void {
    const shown = `"${escapeForTerminal(header.name)}"`;
    this.#entries += 1;
    const { maxEntries, maxEntryBytes } = this.#limits;
    if (this.#entries > maxEntries) throw hostile('TAR_TOO_MANY', `the archive has over ${maxEntries} files`);
    const previous = this.#entry?.name;
    const compared = previous === undefined ? -1 : this.#order(previous, header.name);
    // The later of two equal names would win on extraction, the earlier in a listing.
    if (compared === 0) throw hostile('TAR_DUPLICATE', `${shown} is in the archive twice`);
    if (compared > 0) throw hostile('TAR_ORDER', `${shown} is out of order in the archive`);
    if (header.size > maxEntryBytes) {
      throw hostile('TAR_ENTRY_TOO_LARGE', `${shown} has ${header.size} bytes; at most ${maxEntryBytes} are allowed`);
    }
  }

  async #finishEntry(): Promise<void> {
    if (this.#entry === undefined) return;
    while ((await this.read()) !== undefined);
    const padding = await this.#take(tarPadding(this.#entry.size));
    if (padding === undefined) throw hostile('TAR_TRUNCATED', `the archive ends in the padding of ${this.#shown()}`);
    // Space nobody hashes or looks at, but that would travel along.
    if (!isZero(padding)) throw hostile('TAR_PADDING', `the padding after ${this.#shown()} is not zero`);
  }

  async #assertEnd(): Promise<void> {
    if (!isZero(await this.#block('TAR_MISSING_EOF'))) {
      // Some readers stop at the first zero block, others go on.
      throw hostile('TAR_MISSING_EOF', 'the archive goes on after a single zero block');
    }
    if (this.#buffered.length === 0 && !(await this.#fill())) return;
    const block = await this.#take(TAR_BLOCK);
    if (block !== undefined && hasTarChecksum(block)) {
      throw hostile('TAR_CONCATENATED', 'a second archive follows the end of the first');
    }
    throw hostile('TAR_TRAILING', 'there are bytes after the end of the archive; pack the bundle with this tool');
  }

  /** One block. @throws ArchiveError TAR_TRUNCATED for a piece of one, `atEnd` when there is nothing at all */
  async #block(atEnd: 'TAR_MISSING_EOF'): Promise<Uint8Array> {
    if (this.#buffered.length === 0 && !(await this.#fill())) {
      throw hostile(atEnd, 'the archive has no end mark: it was cut off or not fully copied');
    }
    const block = await this.#take(TAR_BLOCK);
    if (block === undefined) throw hostile('TAR_TRUNCATED', 'the archive ends inside a header: it was cut off');
    return block;
  }

  /** Exactly `length` bytes, or undefined when the source ends before. */
  async #take(length: number): Promise<Uint8Array | undefined> {
    while (this.#buffered.length < length) {
      // Kept apart from the source's buffer, which the next fill may reuse.
      const kept = new Uint8Array(this.#buffered);
      if (!(await this.#fill())) return undefined;
      this.#buffered = concatBytes(kept, this.#buffered);
    }
    const taken = this.#buffered.subarray(0, length);
    this.#buffered = this.#buffered.subarray(length);
    return taken;
  }

  async #fill(): Promise<boolean> {
    for (;;) {
      const { value, done } = await this.#source.next();
      if (done === true) return false;
      if (value.length === 0) continue;
      this.#buffered = value;
      return true;
    }
  }

  #shown(): string {
    return `"${escapeForTerminal(this.#entry?.name ?? '')}"`;
  }
}
