import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '../core/strict-json.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, syncDirectory } from '../durable/files-io.ts';
import { leafOf } from './chain.ts';
import {
  CHECKPOINTS_DIRECTORY,
  ENTRIES_DIRECTORY,
  entriesFileName,
  HISTORY_FILE,
  MAX_HISTORY_LINE_BYTES,
  TREE_DIRECTORY,
} from './format.ts';
import type { LedgerFile, OpenLedgerFile } from './ledger-file-io.ts';
import { firstKept } from './pruned-io.ts';
import { quarantinedAt, quarantineRest, type TornPiece } from './quarantine-io.ts';
import { type Scan, type ScanOptions, scanForWriting } from './recovery-scan-io.ts';
import { breathe, listEntries, scanLines } from './scan-io.ts';
import { PASS_READ_AHEAD, StoredTree, TreeWriter } from './tree-files-io.ts';
import { walkEntries } from './walk-io.ts';

/** A log made ready for appending. */
export type Recovered = {
  readonly scan: Scan;
  /** The `data` of the `log.recovery` entry that is due; undefined after a clean close. */
  readonly record: JsonObject | undefined;
};

/** So that a directory full of planted files can't make the record too long to write. */
const MAX_PIECES = 64;

/**
 * Follows the chain to its end and cuts off, into quarantine, what lies beyond it. Call with the log's lock held.
 * @throws LedgerError TAMPERED for damage at or below a signed head, and then changes nothing; DurableError
 */
export async function recoverLedger(options: ScanOptions, openFile: OpenLedgerFile): Promise<Recovered> {
  const scan = await scanForWriting(options);
  const { directory, heads } = options;
  try {
    const torn = await cutTorn(directory, scan, openFile);
    // Derivable, so its absence is no damage: a copy or a backup may have left it out.
    if (!existsSync(join(directory, TREE_DIRECTORY))) createDirectoryDurably(join(directory, TREE_DIRECTORY));
    await rewriteTree(options, scan, openFile);
    const adopted = scan.end.seq - heads.newest.checkpoint.size;
    const found = adopted + torn.length + heads.damaged.length + scan.lost + scan.treeDiffers;
    if (found === 0) return { scan, record: undefined };
    const pieces = torn.slice(0, MAX_PIECES).map(({ bytes, digest, name }) => ({ bytes, digest, name }));
    const { treeDiffers: tree, lost } = scan;
    return { scan, record: { adopted, heads: heads.damaged, lost, torn: pieces, tornPieces: torn.length, tree } };
  } catch (cause) {
    throw durableErrorFrom(cause, 'recover the log in', directory);
  }
}

/** Keep first, cut then: a crash in between leaves the bytes in both places, never in none. */
async function cutTorn(directory: string, scan: Scan, openFile: OpenLedgerFile): Promise<TornPiece[]> {
  const entries = join(directory, ENTRIES_DIRECTORY);
  const { end, tail, beyond } = scan;
  const pieces = new Map(quarantinedAt(directory, end.seq).map((piece) => [piece.name, piece]));
  const keep = (path: string, offset: number) => {
    const piece = existsSync(path) ? quarantineRest(directory, path, offset, end.seq) : undefined;
    if (piece !== undefined) pieces.set(piece.name, piece);
    return piece !== undefined;
  };
  for (const firstSeq of beyond) {
    const path = join(entries, entriesFileName(firstSeq));
    keep(path, 0);
    rmSync(path, { force: true });
  }
  if (beyond.length > 0) syncDirectory(entries);
  const current = join(entries, entriesFileName(tail.firstSeq));
  if (keep(current, tail.offset)) await cut(current, tail.offset, openFile);
  const history = join(directory, CHECKPOINTS_DIRECTORY, HISTORY_FILE);
  const whole = historyEnd(history);
  if (keep(history, whole)) await cut(history, whole, openFile);
  return [...pieces.values()];
}

async function cut(path: string, length: number, openFile: OpenLedgerFile): Promise<void> {
  await withFile(await openFile(path), async (file) => {
    await file.truncate(length);
    await file.sync();
  });
}

async function withFile(file: LedgerFile, work: (file: LedgerFile) => Promise<void>): Promise<void> {
  try {
    await work(file);
  } finally {
    await file.close();
  }
}

/** Where the last whole line of the history ends. */
function historyEnd(path: string): number {
  let end = 0;
  if (!existsSync(path)) return end;
  for (const lines of scanLines(path, MAX_HISTORY_LINE_BYTES)) {
    for (const { bytes, offset, ended } of lines) if (ended) end = offset + bytes.length + 1;
  }
  return end;
}

/** Tree files hold only what the lines say; what is missing or wrong is written anew, from the first such line on. */
async function rewriteTree(options: ScanOptions, scan: Scan, openFile: OpenLedgerFile): Promise<void> {
  const { directory, genesis, hash } = options;
  const { treeFrom, end, lost } = scan;
  if (treeFrom === undefined && lost === 0) return;
  const tree = new TreeWriter(directory, openFile);
  try {
    if (treeFrom !== undefined) {
      const frontier = treeFrom.frontier.clone();
      const listing = listEntries(directory);
      const first = firstKept(listing, genesis, options.heads.newest.checkpoint.size);
      // The leaves of dropped lines stay as they are: they gave the signed root. What stands above them is made anew.
      using stored = new StoredTree(directory, PASS_READ_AHEAD);
      for (let seq = treeFrom.seq; seq < first; seq += 1) {
        const leaf = stored.at(0, seq);
        if (leaf !== undefined) tree.put(frontier.append(leaf));
      }
      const start = treeFrom.seq < first ? { seq: first, offset: 0 } : treeFrom;
      for (const batch of walkEntries(directory, genesis.limits.rotate, listing, start)) {
        for (const { bytes } of batch) tree.put(frontier.append(leafOf(hash, bytes)));
        await tree.flush();
        await breathe();
      }
    }
    await tree.cut(end.seq);
    await tree.sync();
  } finally {
    await tree.close();
  }
}
