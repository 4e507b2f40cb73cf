import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { formatDigest, type HashFunction } from '../../core/digest.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { nodeHash } from '../../core/merkle.ts';
import { proveRange, runsOf, verifyRange } from '../../core/range-proof.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { durableErrorFrom } from '../../durable/errors.ts';
import { leafOf } from '../../ledger/chain.ts';
import { EntryReader } from '../../ledger/entry-reader-io.ts';
import { GENESIS_FILE } from '../../ledger/format.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { createHashFunction } from '../../ledger/hashing.ts';
import { type LedgerReader, openLedgerReader } from '../../ledger/reader-io.ts';
import { PROOF_READ_AHEAD, StoredTree } from '../../ledger/tree-files-io.ts';
import { ForensicsError } from '../errors.ts';
import { isLogName, type LogPlace } from './layout.ts';
import type { RangeDocument } from './range-document.ts';
import type { Selection } from './selection.ts';

/** A log to export from, as its signed head has it at the moment of opening; a writer may go on meanwhile. */
export class LogSource implements Disposable {
  readonly place: LogPlace;
  readonly genesis: Genesis;
  /** genesis.json, verbatim. */
  readonly genesisBytes: Uint8Array;
  readonly reader: LedgerReader;
  readonly hash: HashFunction;
  readonly #tree: StoredTree;
  readonly #entries: EntryReader;

  private constructor(directory: string, reader: LedgerReader, hash: HashFunction, genesisBytes: Uint8Array) {
    this.reader = reader;
    this.genesis = reader.genesis;
    this.hash = hash;
    this.genesisBytes = genesisBytes;
    this.place = { host: reader.genesis.host, log: basename(directory) };
    this.#tree = new StoredTree(directory, PROOF_READ_AHEAD);
    this.#entries = new EntryReader(directory, reader.genesis.limits.rotate);
  }

  /** @throws LedgerError as `openLedgerReader`; ForensicsError EXPORT_INPUT; DurableError */
  static async open(directory: string): Promise<LogSource> {
    if (!isLogName(basename(directory))) {
      const message = `the directory of a log can't be called "${escapeForTerminal(basename(directory))}" in a package; rename it`;
      throw new ForensicsError('EXPORT_INPUT', message);
    }
    const reader = await openLedgerReader(directory);
    try {
      const hash = await createHashFunction(reader.genesis.hash);
      return new LogSource(directory, reader, hash, readFile(join(directory, GENESIS_FILE)));
    } catch (cause) {
      reader.close();
      throw cause;
    }
  }

  /**
   * The proof that goes with a selection, checked against the signed head before it is returned.
   * @throws ForensicsError LOG_DAMAGED when lines, tree and head don't agree; LedgerError; DurableError
   */
  async prove({ from, to, shown }: Selection): Promise<RangeDocument> {
    const { origin, hash: name } = this.genesis;
    const { size, root } = this.reader.head.checkpoint;
    const leaves = new Map<number, Uint8Array>();
    for (const seq of shown) leaves.set(seq, leafOf(this.hash, await this.reader.line(seq)));
    const shape = { size, from, to, runs: runsOf(shown) };
    try {
      const hashes = proveRange(this.hash, shape, this.#at);
      verifyRange(this.hash, { ...shape, root, hashes, leafAt: (seq) => leaves.get(seq) });
      const runs = shape.runs.map((run) => ({ ...run, head: formatDigest(name, leaves.get(run.to - 1) ?? root) }));
      return { origin, hash: name, ...shape, runs, hashes };
    } catch (cause) {
      if (!(cause instanceof DaemonEyeError)) throw cause;
      const message = `the log ${escapeForTerminal(origin)} does not agree with its signed head; verify it: ${cause.message}`;
      throw new ForensicsError('LOG_DAMAGED', message, { cause, fault: 'tampered' });
    }
  }

  [Symbol.dispose](): void {
    this.reader.close();
    this.#tree[Symbol.dispose]();
  }

  /** A stored hash; where a crash left none, what it would be. Wrong ones lead to another root, which is checked. */
  readonly #at = (level: number, index: number): Uint8Array => {
    const stored = this.#tree.at(level, index);
    if (stored !== undefined) return stored;
    if (level === 0) return leafOf(this.hash, this.#entries.line(index));
    return nodeHash(this.hash, this.#at(level - 1, index * 2), this.#at(level - 1, index * 2 + 1));
  };
}

function readFile(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw durableErrorFrom(cause, 'read', path);
  }
}
