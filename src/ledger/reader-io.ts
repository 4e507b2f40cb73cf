import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseCheckpoint } from '../core/checkpoint.ts';
import { formatDigest, type HashFunction } from '../core/digest.ts';
import { CoreError } from '../core/errors.ts';
import { nodeHash, rootAt } from '../core/merkle.ts';
import { proveConsistency, proveInclusion, verifyConsistency, verifyInclusion } from '../core/merkle-proofs.ts';
import { proveRange, runsOf, verifyRange } from '../core/range-proof.ts';
import { parseNote } from '../core/signed-note.ts';
import { encodeTlogProof } from '../core/tlog-proof.ts';
import { leafOf } from './chain.ts';
import { EntryReader } from './entry-reader-io.ts';
import type { Epochs } from './epochs.ts';
import { requireEpochs } from './epochs-io.ts';
import { LedgerError } from './errors.ts';
import { CHECKPOINTS_DIRECTORY, HISTORY_FILE, MAX_HISTORY_LINE_BYTES } from './format.ts';
import type { Genesis } from './genesis.ts';
import { createHashFunction } from './hashing.ts';
import { type SignedHead, verifyHead } from './heads.ts';
import { parseHistoryLine } from './history.ts';
import { readGenesis, readGenesisBytes, requireHeads } from './open-io.ts';
import { firstKept } from './pruned-io.ts';
import type { RangeDocument } from './range-document.ts';
import { listEntries, scanLines } from './scan-io.ts';
import { PROOF_READ_AHEAD, StoredTree } from './tree-files-io.ts';

/**
 * A log as its signed head has it at the moment of opening; lines written later are not seen. Takes no lock and writes
 * nothing. Whether the lines are what was signed, and whose key that is, is for `verifyLedger` to say: a reader trusts
 * the key in the genesis.
 */
export type LedgerReader = Disposable & {
  readonly genesis: Genesis;
  /** genesis.json, verbatim. */
  readonly genesisBytes: Uint8Array;
  /** The log's keys, the newest last. */
  readonly epochs: Epochs;
  readonly head: SignedHead;
  /** Lines that the head covers. */
  readonly size: number;
  /** The first line that is there: those before it were dropped, and only their hashes are left. */
  readonly first: number;
  /** The signed checkpoint over the first `size` lines: the head, or one in the history. @throws LedgerError NO_CHECKPOINT */
  checkpoint(size: number): SignedHead;
  /** The exact bytes, without the newline. @throws LedgerError NO_SUCH_ENTRY, LINE_PRUNED or TAMPERED; DurableError */
  line(seq: number): Promise<Uint8Array>;
  /** The lines [from, to), each as {@link line} gives it; default all that are there. @throws as `line` */
  lines(from?: number, to?: number): AsyncGenerator<Uint8Array, void, undefined>;
  /**
   * A `.tlog-proof` that the line is in the log, under the head or, with `size`, under the checkpoint of that size in
   * the history. Checked before it is returned.
   * @throws LedgerError NO_SUCH_ENTRY, NO_CHECKPOINT, TREE_DAMAGED or TAMPERED; DurableError
   */
  proveInclusion(seq: number, size?: number): Promise<Uint8Array>;
  /**
   * The hashes that prove the first `a` lines to be a prefix of the first `b` (RFC 6962 section 2.1.2), 1 ≤ a ≤ b.
   * @throws LedgerError NO_SUCH_ENTRY, TREE_DAMAGED or TAMPERED; DurableError
   */
  proveConsistency(a: number, b: number): Promise<Uint8Array[]>;
  /** The root over the first `size` lines, which the head is checked to extend. @throws as `proveConsistency` */
  rootAt(size: number): Promise<Uint8Array>;
  /**
   * What is shown of the range [from, to), and the hashes that stand for the rest, under the head. Checked before it is
   * returned.
   * @param shown seqs within the range, ascending
   * @throws LedgerError NO_SUCH_ENTRY, TREE_DAMAGED or TAMPERED; CoreError PROOF_MALFORMED for an impossible choice;
   *   DurableError
   */
  proveRange(from: number, to: number, shown: readonly number[]): Promise<RangeDocument>;
  close(): void;
};

/**
 * @throws LedgerError LEDGER_NOT_FOUND, GENESIS_MALFORMED, GENESIS_SIGNATURE, TAMPERED (no head holds) or
 *   HASH_UNAVAILABLE; DurableError
 */
export async function openLedgerReader(directory: string): Promise<LedgerReader> {
  const genesis = readGenesis(directory);
  const { newest } = requireHeads(directory, genesis);
  // After the head: epochs are only ever added, so these know its key.
  const epochs = requireEpochs(directory, genesis);
  const hash = await createHashFunction(genesis.hash);
  return new Reader(directory, genesis, epochs, newest, hash);
}

class Reader implements LedgerReader {
  readonly genesis: Genesis;
  readonly genesisBytes: Uint8Array;
  readonly epochs: Epochs;
  readonly head: SignedHead;
  readonly first: number;
  readonly #directory: string;
  readonly #hash: HashFunction;
  readonly #entries: EntryReader;
  readonly #tree: StoredTree;

  constructor(directory: string, genesis: Genesis, epochs: Epochs, head: SignedHead, hash: HashFunction) {
    this.#directory = directory;
    this.first = firstKept(listEntries(directory), genesis, head.checkpoint.size);
    this.genesis = genesis;
    this.genesisBytes = readGenesisBytes(directory);
    this.epochs = epochs;
    this.head = { checkpoint: head.checkpoint, note: head.note };
    this.#hash = hash;
    this.#entries = new EntryReader(directory, genesis.limits.rotate);
    this.#tree = new StoredTree(directory, PROOF_READ_AHEAD);
  }

  get size(): number {
    return this.head.checkpoint.size;
  }

  async line(seq: number): Promise<Uint8Array> {
    this.#assertBetween(seq, 0, this.size - 1);
    this.#assertKept(seq);
    return this.#entries.line(seq);
  }

  async *lines(from = this.first, to = this.size): AsyncGenerator<Uint8Array, void, undefined> {
    this.#assertBetween(to, 0, this.size);
    this.#assertBetween(from, 0, to);
    if (from < to) this.#assertKept(from);
    for (let seq = from; seq < to; seq += 1) yield this.#entries.line(seq);
  }

  async proveInclusion(seq: number, size = this.size): Promise<Uint8Array> {
    this.#assertBetween(size, 0, this.size);
    this.#assertBetween(seq, 0, size - 1);
    const { note, checkpoint } = this.checkpoint(size);
    const hashes = proveInclusion(this.#hash, seq, size, this.#at);
    const leaf = this.#at(0, seq);
    this.#assertProves(() =>
      verifyInclusion(this.#hash, { index: seq, size, leaf, root: checkpoint.root, proof: hashes }),
    );
    return encodeTlogProof({ index: seq, hashes, checkpoint: note });
  }

  async proveConsistency(a: number, b: number): Promise<Uint8Array[]> {
    this.#assertBetween(b, 1, this.size);
    this.#assertBetween(a, 1, b);
    const root1 = rootAt(this.#hash, a, this.#at);
    const root2 = rootAt(this.#hash, b, this.#at);
    const proof = proveConsistency(this.#hash, a, b, this.#at);
    this.#assertProves(() => verifyConsistency(this.#hash, { size1: a, size2: b, root1, root2, proof }));
    // The roots come from the tree files too; only the head ties them to what was signed.
    const toHead = proveConsistency(this.#hash, b, this.size, this.#at);
    const claim = { size1: b, size2: this.size, root1: root2, root2: this.head.checkpoint.root, proof: toHead };
    this.#assertProves(() => verifyConsistency(this.#hash, claim));
    return proof;
  }

  async rootAt(size: number): Promise<Uint8Array> {
    await this.proveConsistency(size, size);
    return rootAt(this.#hash, size, this.#at);
  }

  async proveRange(from: number, to: number, shown: readonly number[]): Promise<RangeDocument> {
    this.#assertBetween(to, 1, this.size);
    this.#assertBetween(from, 0, to - 1);
    const { origin, hash } = this.genesis;
    for (const seq of shown.slice(0, 1)) this.#assertKept(seq);
    const leaves = new Map(shown.map((seq) => [seq, leafOf(this.#hash, this.#entries.line(seq))]));
    const { root } = this.head.checkpoint;
    const shape = { size: this.size, from, to, runs: runsOf(shown) };
    const hashes = proveRange(this.#hash, shape, this.#at);
    this.#assertProves(() => verifyRange(this.#hash, { ...shape, root, hashes, leafAt: (seq) => leaves.get(seq) }));
    const runs = shape.runs.map((run) => ({ ...run, head: formatDigest(hash, leaves.get(run.to - 1) ?? root) }));
    return { origin, hash, ...shape, runs, hashes };
  }

  checkpoint(size: number): SignedHead {
    if (size === this.size) return this.head;
    const path = join(this.#directory, CHECKPOINTS_DIRECTORY, HISTORY_FILE);
    if (existsSync(path)) {
      for (const lines of scanLines(path, MAX_HISTORY_LINE_BYTES)) {
        for (const { bytes, ended } of lines) {
          const head = ended ? this.#historic(bytes, size) : undefined;
          if (head !== undefined) return head;
        }
      }
    }
    throw new LedgerError(
      'NO_CHECKPOINT',
      `no checkpoint of ${size} lines was kept; leave the size out to use the head`,
    );
  }

  close(): void {
    this.#tree[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** A stored hash; where a crash left none (on read-only media nobody can put it back), what it would be. */
  readonly #at = (level: number, index: number): Uint8Array => {
    const stored = this.#tree.at(level, index);
    if (stored !== undefined) return stored;
    if (level === 0) return leafOf(this.#hash, this.#entries.line(index));
    return nodeHash(this.#hash, this.#at(level - 1, index * 2), this.#at(level - 1, index * 2 + 1));
  };

  #historic(line: Uint8Array, size: number): SignedHead | undefined {
    try {
      const note = parseHistoryLine(line);
      if (parseCheckpoint(parseNote(note).text).size !== size) return undefined;
      return { note, checkpoint: verifyHead(note, this.genesis, this.epochs) };
    } catch {
      // Not one we could hand to anybody; `verifyLedger` reports it.
      return undefined;
    }
  }

  #assertBetween(value: number, from: number, to: number): void {
    if (Number.isSafeInteger(value) && value >= from && value <= to) return;
    throw new LedgerError('NO_SUCH_ENTRY', `${value} is outside this log, whose head covers ${this.size} lines`);
  }

  #assertKept(seq: number): void {
    if (seq >= this.first) return;
    const message = `line ${seq} was dropped (ledger prune): its hash is left, and the log begins with line ${this.first}`;
    throw new LedgerError('LINE_PRUNED', message);
  }

  #assertProves(verify: () => void): void {
    try {
      verify();
    } catch (cause) {
      if (!(cause instanceof CoreError)) throw cause;
      const message = 'the tree files do not agree with the signed head; verify the log, or open it for writing once';
      throw new LedgerError('TREE_DAMAGED', message, { cause, fault: 'tampered' });
    }
  }
}
