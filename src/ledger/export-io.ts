import { lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { equalBytes } from '../core/bytes.ts';
import type { Checkpoint } from '../core/checkpoint.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { renameDurably, syncDirectory, temporaryName } from '../durable/files-io.ts';
import { syncFiles } from '../durable/sync-many-io.ts';
import { LedgerError } from './errors.ts';
import { createHashFunction } from './hashing.ts';
import { type LedgerReader, openLedgerReader } from './reader-io.ts';
import { TileBuilder } from './tiles.ts';

export type TileExport = {
  /** Of the log, which must be a sha256 one. */
  readonly directory: string;
  /** The new directory. */
  readonly out: string;
  /** Entries [from, to) that also get a proof each, in `<out>/proof/<seq>.tlog-proof`. */
  readonly prove?: { readonly from: number; readonly to: number };
};

export type ExportedTiles = { readonly checkpoint: Checkpoint; readonly files: number; readonly bytes: number };

/**
 * Writes a log, as its signed head has it, as the static files of https://c2sp.org/tlog-tiles: `checkpoint`,
 * `tile/<L>/<N>`, `tile/entries/<N>`. The tiles are made from the lines and must give the root that was signed. The
 * directory appears whole and durable, or not at all, and never over something else.
 * @throws LedgerError EXPORT_HASH (a blake3 log), EXPORT_EXISTS, TAMPERED (the lines are not what was signed), or as
 *   the reader; DurableError
 */
export async function exportTiles({ directory, out, prove }: TileExport): Promise<ExportedTiles> {
  assertNew(out);
  using reader = await openLedgerReader(directory);
  if (reader.genesis.hash !== 'sha256') {
    const message =
      `the log ${escapeForTerminal(reader.genesis.origin)} is hashed with ${reader.genesis.hash}, and C2SP tiles are ` +
      'SHA-256: only a log created with sha256 can be exported so; "ledger prove" works for this one';
    throw new LedgerError('EXPORT_HASH', message, { fault: 'refused' });
  }
  const temporary = temporaryName(out);
  const target = new ExportDirectory(temporary);
  try {
    await writeTiles(reader, target);
    target.write('checkpoint', reader.head.note);
    if (prove !== undefined) {
      for (let seq = prove.from; seq < prove.to; seq += 1) {
        target.write(`proof/${seq}.tlog-proof`, await reader.proveInclusion(seq));
      }
    }
    await target.sync();
    assertNew(out);
    // rename(2) refuses a directory that holds anything, should one have appeared meanwhile.
    renameDurably(temporary, out);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    throw cause;
  }
  return { checkpoint: reader.head.checkpoint, files: target.files.length, bytes: target.bytes };
}

function assertNew(out: string): void {
  if (lstatSync(out, { throwIfNoEntry: false }) === undefined) return;
  const message = `${escapeForTerminal(out)} exists already and is left alone; choose another name or move it away`;
  throw new LedgerError('EXPORT_EXISTS', message);
}

async function writeTiles(reader: LedgerReader, target: ExportDirectory): Promise<void> {
  const builder = new TileBuilder(await createHashFunction('sha256'));
  for await (const line of reader.lines()) {
    for (const { path, bytes } of builder.append(line)) target.write(path, bytes);
  }
  for (const { path, bytes } of builder.finish()) target.write(path, bytes);
  if (equalBytes(builder.root(), reader.head.checkpoint.root)) return;
  const message = `the lines of ${escapeForTerminal(reader.genesis.origin)} are not what its head signs; run "ledger verify"`;
  throw new LedgerError('TAMPERED', message, { fault: 'tampered' });
}

/** A directory being filled, synced as a whole: a file at a time would wait for the disk thousands of times. */
class ExportDirectory {
  readonly #root: string;
  readonly #directories = new Set<string>();
  readonly files: string[] = [];
  bytes = 0;

  constructor(root: string) {
    this.#root = root;
    this.#ensure(root);
  }

  write(path: string, bytes: Uint8Array): void {
    const file = join(this.#root, path);
    try {
      this.#ensure(dirname(file));
      writeFileSync(file, bytes, { flag: 'wx', mode: 0o644 });
    } catch (cause) {
      throw durableErrorFrom(cause, 'write', file);
    }
    this.files.push(path);
    this.bytes += bytes.length;
  }

  async sync(): Promise<void> {
    await syncFiles(this.#root, this.files);
    for (const directory of this.#directories) syncDirectory(directory);
  }

  #ensure(directory: string): void {
    if (this.#directories.has(directory)) return;
    if (directory !== this.#root) this.#ensure(dirname(directory));
    try {
      mkdirSync(directory, { mode: 0o755 });
    } catch (cause) {
      throw durableErrorFrom(cause, 'create the directory', directory);
    }
    this.#directories.add(directory);
  }
}
