import { join } from 'node:path';
import { concatBytes, utf8 } from '../core/bytes.ts';
import { parseCheckpoint } from '../core/checkpoint.ts';
import { parseNote } from '../core/signed-note.ts';
import { CHECKPOINTS_DIRECTORY, HEAD_SLOTS, type HeadSlot, HISTORY_FILE, MAX_HISTORY_LINE_BYTES } from './format.ts';
import type { SignedHead } from './heads.ts';
import { encodeHistoryLine, parseHistoryLine } from './history.ts';
import type { LedgerFile, OpenLedgerFile } from './ledger-file-io.ts';
import { headFile } from './open-io.ts';
import { type RawLine, scanLines } from './scan-io.ts';

/**
 * Stores heads in two slots in turn. A crash can tear the slot being written; the other one still holds.
 */
export class HeadsWriter {
  readonly #files: Readonly<Record<HeadSlot, LedgerFile>>;
  #next: HeadSlot;

  private constructor(files: Readonly<Record<HeadSlot, LedgerFile>>, newest: HeadSlot) {
    this.#files = files;
    this.#next = otherSlot(newest);
  }

  static async open(directory: string, newest: HeadSlot, openFile: OpenLedgerFile): Promise<HeadsWriter> {
    const [a, b] = HEAD_SLOTS;
    const first = await openFile(headFile(directory, a));
    try {
      return new HeadsWriter({ a: first, b: await openFile(headFile(directory, b)) }, newest);
    } catch (cause) {
      await first.close();
      throw cause;
    }
  }

  /** Durable when it returns. */
  async store(note: Uint8Array): Promise<void> {
    const file = this.#files[this.#next];
    await file.write(note, 0);
    await file.truncate(note.length);
    await file.sync();
    this.#next = otherSlot(this.#next);
  }

  async close(): Promise<void> {
    for (const slot of HEAD_SLOTS) await this.#files[slot].close();
  }
}

function otherSlot(slot: HeadSlot): HeadSlot {
  return slot === 'a' ? 'b' : 'a';
}

/** When heads are kept in the history too: after so many entries or seconds, whichever comes first. */
export type HistoryPace = { readonly entries: number; readonly seconds: number };

/** Appends heads to the history. */
export class HistoryWriter {
  readonly #file: LedgerFile;
  readonly #pace: HistoryPace;
  #end: number;
  #size: number;
  #mono: number;

  private constructor(file: LedgerFile, pace: HistoryPace, end: number, size: number, mono: number) {
    this.#file = file;
    this.#pace = pace;
    this.#end = end;
    this.#size = size;
    this.#mono = mono;
  }

  /** @param mono microseconds since boot, now; seconds count from here, entries from the last head kept */
  static async open(
    directory: string,
    openFile: OpenLedgerFile,
    pace: HistoryPace,
    mono: number,
  ): Promise<HistoryWriter> {
    const path = join(directory, CHECKPOINTS_DIRECTORY, HISTORY_FILE);
    const file = await openFile(path);
    try {
      let last: RawLine | undefined;
      for (const lines of scanLines(path, MAX_HISTORY_LINE_BYTES)) last = lines.at(-1);
      const end = last === undefined ? 0 : last.offset + last.bytes.length + 1;
      return new HistoryWriter(file, pace, end, last === undefined ? 0 : sizeOf(last.bytes), mono);
    } catch (cause) {
      await file.close();
      throw cause;
    }
  }

  /** Keeps the head if it is due. Durable when it returns. */
  async offer(head: SignedHead, mono: number): Promise<void> {
    const { entries, seconds } = this.#pace;
    if (head.checkpoint.size - this.#size < entries && mono - this.#mono < seconds * 1_000_000) return;
    await this.keep(head, mono);
  }

  /** Keeps the head, due or not, unless it was kept already. Durable when it returns. */
  async keep(head: SignedHead, mono: number): Promise<void> {
    const { size } = head.checkpoint;
    if (size <= this.#size) return;
    const line = concatBytes(encodeHistoryLine(head.note), utf8('\n'));
    await this.#file.write(line, this.#end);
    await this.#file.sync();
    this.#end += line.length;
    this.#size = size;
    this.#mono = mono;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** The size in a history line. One that can't be read is for verification to find; here it only sets the pace. */
function sizeOf(line: Uint8Array): number {
  try {
    return parseCheckpoint(parseNote(parseHistoryLine(line)).text).size;
  } catch {
    return 0;
  }
}
