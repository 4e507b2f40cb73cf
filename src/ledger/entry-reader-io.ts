import { join } from 'node:path';
import { LedgerError } from './errors.ts';
import { ENTRIES_DIRECTORY, entriesFileName, MAX_LINE_BYTES } from './format.ts';
import { type RawLine, scanLines } from './scan-io.ts';

/** The lines of one batch and where, counted in its file, they begin. */
type Batch = { readonly file: number; readonly from: number; readonly lines: readonly RawLine[] };
type Mark = { readonly line: number; readonly offset: number };

/**
 * Lines by seq. Entries have no index on disk: the reader learns offsets as it passes, one a megabyte, so reading in
 * order costs one pass and reading at random one megabyte, plus one pass over a file the first time.
 */
export class EntryReader {
  readonly #directory: string;
  readonly #rotate: number;
  /** By first seq of a file: starts of batches, ascending. */
  readonly #marks = new Map<number, Mark[]>();
  #batch: Batch | undefined;

  constructor(directory: string, rotate: number) {
    this.#directory = directory;
    this.#rotate = rotate;
  }

  /**
   * The line's exact bytes, without its newline.
   * @throws LedgerError TAMPERED if the files end before it; DurableError
   */
  line(seq: number): Uint8Array {
    const file = seq - (seq % this.#rotate);
    const line = seq - file;
    const batch = this.#cached(file, line) ?? this.#find(file, line);
    const raw = batch?.lines[line - batch.from];
    if (raw?.ended !== true) {
      const message = `line ${seq} is missing from ${ENTRIES_DIRECTORY}/${entriesFileName(file)}: the log was cut or damaged; verify it`;
      throw new LedgerError('TAMPERED', message, { fault: 'tampered' });
    }
    return raw.bytes.slice();
  }

  #cached(file: number, line: number): Batch | undefined {
    const batch = this.#batch;
    return batch?.file === file && covers(batch, line) ? batch : undefined;
  }

  #find(file: number, line: number): Batch | undefined {
    const marks = this.#marks.get(file) ?? [{ line: 0, offset: 0 }];
    this.#marks.set(file, marks);
    const mark = marks.findLast((known) => known.line <= line) ?? { line: 0, offset: 0 };
    let from = mark.line;
    const path = join(this.#directory, ENTRIES_DIRECTORY, entriesFileName(file));
    for (const lines of scanLines(path, MAX_LINE_BYTES, mark.offset)) {
      const batch = { file, from, lines };
      from += lines.length;
      remember(marks, from, lines.at(-1));
      if (covers(batch, line)) {
        this.#batch = batch;
        return batch;
      }
    }
    return undefined;
  }
}

function covers({ from, lines }: Batch, line: number): boolean {
  return line >= from && line < from + lines.length;
}

function remember(marks: Mark[], line: number, last: RawLine | undefined): void {
  if (last === undefined || line <= (marks.at(-1)?.line ?? 0)) return;
  marks.push({ line, offset: last.offset + last.bytes.length + 1 });
}
