import { basename } from 'node:path';
import type { HashFunction } from '../../core/digest.ts';
import type { PublicKey } from '../../core/keys.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { currentEpoch } from '../../ledger/epochs.ts';
import { LedgerError } from '../../ledger/errors.ts';
import type { Genesis } from '../../ledger/genesis.ts';
import { createHashFunction } from '../../ledger/hashing.ts';
import type { RangeDocument } from '../../ledger/range-document.ts';
import { type LedgerReader, openLedgerReader } from '../../ledger/reader-io.ts';
import { ForensicsError } from '../errors.ts';
import { isLogName, type LogPlace } from './layout.ts';
import type { Selection } from './selection.ts';

/** A log to export from, as its signed head has it at the moment of opening; a writer may go on meanwhile. */
export class LogSource implements Disposable {
  readonly directory: string;
  readonly place: LogPlace;
  readonly genesis: Genesis;
  /** genesis.json, verbatim. */
  readonly genesisBytes: Uint8Array;
  readonly reader: LedgerReader;
  readonly hash: HashFunction;

  private constructor(directory: string, reader: LedgerReader, hash: HashFunction) {
    this.directory = directory;
    this.reader = reader;
    this.genesis = reader.genesis;
    this.hash = hash;
    this.genesisBytes = reader.genesisBytes;
    this.place = { host: reader.genesis.host, log: basename(directory) };
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
      return new LogSource(directory, reader, hash);
    } catch (cause) {
      reader.close();
      throw cause;
    }
  }

  /** The log's key, as of its head. */
  get key(): PublicKey {
    return currentEpoch(this.reader.epochs).key;
  }

  /**
   * The proof that goes with a selection, checked against the signed head before it is returned.
   * @throws ForensicsError LOG_DAMAGED when lines, tree and head don't agree; LedgerError; DurableError
   */
  async prove({ from, to, shown }: Selection): Promise<RangeDocument> {
    try {
      return await this.reader.proveRange(from, to, shown);
    } catch (cause) {
      if (!(cause instanceof LedgerError) || cause.code !== 'TREE_DAMAGED') throw cause;
      const message = `the log ${escapeForTerminal(this.genesis.origin)} does not agree with its signed head; verify it: ${cause.message}`;
      throw new ForensicsError('LOG_DAMAGED', message, { cause, fault: 'tampered' });
    }
  }

  [Symbol.dispose](): void {
    this.reader.close();
  }
}
