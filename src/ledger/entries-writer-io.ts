import { dirname, join } from 'node:path';
import { syncDirectory } from '../durable/files-io.ts';
import { ENTRIES_DIRECTORY, entriesFileName } from './format.ts';
import type { LedgerFile, OpenLedgerFile } from './ledger-file-io.ts';

/** The disk refused, and what is on it is as before: the caller may go on. */
export class WriteRefused extends Error {}

type Current = { readonly firstSeq: number; readonly file: LedgerFile; end: number };

/** Appends lines to entries/, one file after another. */
export class EntriesWriter {
  readonly #directory: string;
  readonly #openFile: OpenLedgerFile;
  #current: Current | undefined;

  constructor(directory: string, openFile: OpenLedgerFile) {
    this.#directory = directory;
    this.#openFile = openFile;
  }

  /** Continues a file at the end of its good lines. */
  async resume(firstSeq: number, end: number): Promise<void> {
    this.#current = await this.#open(firstSeq, end);
  }

  /**
   * Writes lines of one file and makes them durable with one fdatasync.
   * @param firstSeq of the file they belong in
   * @throws WriteRefused if they could not be written and the file is as it was before; anything else means that the
   *   state of the disk is unknown
   */
  async append(firstSeq: number, bytes: Uint8Array): Promise<void> {
    const current = this.#current?.firstSeq === firstSeq ? this.#current : await this.#rotate(firstSeq);
    try {
      await current.file.write(bytes, current.end);
    } catch (cause) {
      await current.file.truncate(current.end);
      throw new WriteRefused('the lines could not be written', { cause });
    }
    await current.file.sync();
    current.end += bytes.length;
  }

  async close(): Promise<void> {
    await this.#current?.file.close();
    this.#current = undefined;
  }

  /** The file before is durable as it is; the new one's name has to be as well, before anything is said to be in it. */
  async #rotate(firstSeq: number): Promise<Current> {
    let next: Current;
    try {
      next = await this.#open(firstSeq, 0);
    } catch (cause) {
      throw new WriteRefused('the next file could not be created', { cause });
    }
    await this.close();
    this.#current = next;
    return next;
  }

  async #open(firstSeq: number, end: number): Promise<Current> {
    const path = join(this.#directory, ENTRIES_DIRECTORY, entriesFileName(firstSeq));
    const file = await this.#openFile(path);
    try {
      syncDirectory(dirname(path));
      return { firstSeq, file, end };
    } catch (cause) {
      await file.close();
      throw cause;
    }
  }
}
