import { equalBytes } from '../core/bytes.ts';
import type { Checkpoint } from '../core/checkpoint.ts';
import { Frontier } from '../core/compact-range.ts';
import type { HashFunction } from '../core/digest.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { attachLine, type ChainEnd, chainNext, chainStart, leafOf } from './chain.ts';
import { LedgerError } from './errors.ts';
import { LOG_PRUNE } from './format.ts';
import type { Genesis } from './genesis.ts';
import type { Heads } from './heads.ts';
import { type Line, parseLine } from './line.ts';
import type { WalkedLine } from './place.ts';
import { firstKept, prunedLeaves } from './pruned-io.ts';
import { breathe, listEntries } from './scan-io.ts';
import { PASS_READ_AHEAD, StoredTree } from './tree-files-io.ts';
import { type WalkStart, walkEntries } from './walk-io.ts';

export type ScanOptions = {
  readonly directory: string;
  readonly genesis: Genesis;
  readonly hash: HashFunction;
  readonly heads: Heads;
  /** Checkpoints of this log known from elsewhere, already verified. */
  readonly anchors: readonly Checkpoint[];
  /** Whether a line beyond the newest head, which attaches, may be one of ours; one that may not is tampering. */
  readonly mayAdopt?: MayAdopt | undefined;
};

export type MayAdopt = (line: Line) => boolean;

/** What a pass over all lines found. Nothing was changed. */
export type Scan = {
  readonly end: ChainEnd;
  readonly frontier: Frontier;
  /** The last line that holds. */
  readonly last: Line | undefined;
  /** The file that was being written, by first seq, and where its good lines end. */
  readonly tail: { readonly firstSeq: number; readonly offset: number };
  /** Files of lines beyond `tail`, by first seq: none of their bytes can be part of the chain. */
  readonly beyond: readonly number[];
  /** How many hashes the tree files have otherwise than the lines. */
  readonly treeDiffers: number;
  /** From where the tree files must be written anew; undefined if they are complete. */
  readonly treeFrom: (WalkStart & { readonly frontier: Frontier }) | undefined;
  /** Lines that the tree files know of and that are gone: they had been durable, and acknowledged. */
  readonly lost: number;
};

/**
 * Follows the lines to the end of the chain. Up to the newest head their hashes must add up to its root, so they need
 * not be parsed; after it each must attach to the one before.
 * @throws LedgerError TAMPERED for damage at or below the head or an anchor; DurableError
 */
export async function scanForWriting(options: ScanOptions): Promise<Scan> {
  using stored = new StoredTree(options.directory, PASS_READ_AHEAD);
  const pass = new Pass(options, stored);
  const { directory, genesis } = options;
  const listing = listEntries(directory);
  const first = firstKept(listing, genesis, options.heads.newest.checkpoint.size);
  pass.takePruned(prunedLeaves(stored, first));
  walk: for (const batch of walkEntries(directory, genesis.limits.rotate, listing, { seq: first, offset: 0 })) {
    for (const line of batch) if (!pass.take(line)) break walk;
    await breathe();
  }
  return pass.finish(listing.firstSeqs);
}

const PRUNE_NEEDLE = `"type":"${LOG_PRUNE}"`;

class Pass {
  readonly #options: ScanOptions;
  readonly #stored: StoredTree;
  readonly #frontier: Frontier;
  /** Roots that must come out, by size. */
  readonly #expected: Map<number, Checkpoint[]>;
  #end: ChainEnd;
  #lastBytes: Uint8Array | undefined;
  #tail = { firstSeq: 0, offset: 0 };
  #pruned = 0;
  #prunable = 0;
  #treeDiffers = 0;
  #treeFrom: Scan['treeFrom'];

  constructor(options: ScanOptions, stored: StoredTree) {
    this.#options = options;
    this.#stored = stored;
    this.#frontier = Frontier.empty(options.hash);
    this.#end = chainStart(options.genesis);
    const { newest, older } = options.heads;
    const known = [newest.checkpoint, ...(older === undefined ? [] : [older.checkpoint]), ...options.anchors];
    this.#expected = Map.groupBy(known, ({ size }) => size);
    this.#checkRoots();
  }

  /** Lines that were dropped: what is left of them must add up to what was signed, as the lines would have. */
  takePruned(leaves: Iterable<Uint8Array>): void {
    try {
      for (const leaf of leaves) {
        const { seq } = this.#end;
        this.#grow(leaf, { seq, offset: 0 });
        this.#tail = { firstSeq: seq + 1, offset: 0 };
        this.#pruned = seq + 1;
      }
    } catch (cause) {
      throw cause instanceof LedgerError && cause.code === 'TREE_DAMAGED' ? this.#tampered(cause.message) : cause;
    }
  }

  /** An entry under a signed head says that lines up to there may be gone. */
  #notePrune(bytes: Uint8Array): void {
    if (this.#pruned === 0 || this.#end.seq >= this.#options.heads.newest.checkpoint.size) return;
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(PRUNE_NEEDLE)) return;
    const { type, seq, data } = parseLine(bytes);
    const to = data['to'];
    if (type === LOG_PRUNE && typeof to === 'number' && to <= seq) this.#prunable = Math.max(this.#prunable, to);
  }

  #grow(leaf: Uint8Array, at: WalkStart): void {
    const before = this.#treeFrom === undefined ? this.#frontier.clone() : undefined;
    for (const { level, index, hash } of this.#frontier.append(leaf)) {
      const holds = this.#stored.holds(level, index, hash);
      if (holds === true) continue;
      if (holds === false) this.#treeDiffers += 1;
      if (before !== undefined) this.#treeFrom ??= { ...at, frontier: before };
    }
    this.#end = chainNext(this.#end.seq, this.#options.genesis, leaf);
    this.#checkRoots();
  }

  /** @returns whether the line belongs to the log; after the first that doesn't, none does */
  take({ bytes, place, flaw }: WalkedLine): boolean {
    this.#tail = { firstSeq: place.firstSeq, offset: place.offset };
    if (flaw !== undefined || !this.#attaches(bytes)) return false;
    this.#notePrune(bytes);
    const leaf = leafOf(this.#options.hash, bytes);
    this.#grow(leaf, { seq: place.seq, offset: place.offset });
    this.#lastBytes = bytes;
    this.#tail = { firstSeq: place.firstSeq, offset: place.offset + bytes.length + 1 };
    return true;
  }

  #attaches(bytes: Uint8Array): boolean {
    if (this.#end.seq < this.#options.heads.newest.checkpoint.size) return true;
    const line = this.#attached(bytes);
    if (line === undefined) return false;
    // Anybody can write a line that attaches; whoever acts on lines by themselves must not act on that one.
    if (this.#options.mayAdopt?.(line) === false) {
      throw this.#tampered(`line ${line.seq}, which no head covers, is not signed by the log's key`);
    }
    return true;
  }

  #attached(bytes: Uint8Array): Line | undefined {
    try {
      return attachLine(this.#end, bytes);
    } catch (cause) {
      if (cause instanceof LedgerError) return undefined;
      throw cause;
    }
  }

  #checkRoots(): void {
    const expected = this.#expected.get(this.#frontier.size);
    if (expected === undefined) return;
    const root = this.#frontier.root();
    if (expected.every((checkpoint) => equalBytes(checkpoint.root, root))) return;
    throw this.#tampered(`its first ${this.#frontier.size} lines are not the ones that were signed`);
  }

  finish(firstSeqs: readonly number[]): Scan {
    const size = this.#frontier.size;
    const signed = Math.max(...this.#expected.keys());
    if (size < signed) throw this.#tampered(`${signed} lines were signed and only ${size} are there unharmed`);
    if (this.#pruned > this.#prunable) {
      throw this.#tampered(`its first ${this.#pruned} lines are gone, and no ${LOG_PRUNE} entry says so`);
    }
    return {
      end: this.#end,
      frontier: this.#frontier,
      last: this.#lastBytes === undefined ? undefined : parseLine(this.#lastBytes),
      tail: this.#tail,
      beyond: firstSeqs.filter((firstSeq) => firstSeq > this.#tail.firstSeq || firstSeq % this.#rotate !== 0),
      treeDiffers: this.#treeDiffers,
      treeFrom: this.#treeFrom,
      lost: Math.max(0, this.#stored.count(0) - size),
    };
  }

  get #rotate(): number {
    return this.#options.genesis.limits.rotate;
  }

  #tampered(problem: string): LedgerError {
    const where = escapeForTerminal(this.#options.directory);
    const message = `the log in ${where} was tampered with or damaged: ${problem}; nothing was changed, verify it to see where`;
    return new LedgerError('TAMPERED', message, { fault: 'tampered' });
  }
}
