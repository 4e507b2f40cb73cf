import { equalBytes } from '../core/bytes.ts';
import type { Checkpoint } from '../core/checkpoint.ts';
import type { Frontier } from '../core/compact-range.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { DurableError } from '../durable/errors.ts';
import { OR_A_COPY, type Problem } from './check-list.ts';
import type { Epochs } from './epochs.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { verifyHead } from './heads.ts';
import { parseHistoryLine } from './history.ts';

/**
 * Compares the checkpoints kept in the history, one at a time, with the tree as it grows.
 */
export class HistoryAudit {
  readonly #lines: Iterator<Uint8Array>;
  readonly #genesis: Genesis;
  readonly #epochs: Epochs;
  readonly #signedSize: number;
  #next: Checkpoint | undefined;
  #number = 0;
  /** Checkpoints that agreed. */
  agreed = 0;
  problem: Problem | undefined;

  /**
   * @param lines whole lines of the history, without newlines
   * @param signedSize what the head covers
   */
  constructor(lines: Iterator<Uint8Array>, genesis: Genesis, epochs: Epochs, signedSize: number) {
    this.#lines = lines;
    this.#genesis = genesis;
    this.#epochs = epochs;
    this.#signedSize = signedSize;
    this.#advance(0);
  }

  take(frontier: Frontier): void {
    if (this.#next?.size !== frontier.size) return;
    if (equalBytes(this.#next.root, frontier.root())) {
      this.agreed += 1;
      this.#advance(frontier.size);
    } else {
      const reason = `the checkpoint over ${frontier.size} lines was made of other lines`;
      this.#fail('HISTORY_MISMATCH', reason);
    }
  }

  #advance(size: number): void {
    this.#number += 1;
    this.#next = this.#read();
    if (this.#next === undefined) return;
    const found = this.#next.size;
    if (found <= size) this.#fail('HISTORY_ORDER', `it covers ${found} lines, the one before ${size}`);
    if (found > this.#signedSize) {
      // The head is stored before the history, so it can't be behind.
      this.#fail('HISTORY_AHEAD', `it covers ${found} lines, the head only ${this.#signedSize}: ${OR_A_COPY}`);
    }
  }

  #read(): Checkpoint | undefined {
    try {
      const { value, done } = this.#lines.next();
      return done === true ? undefined : verifyHead(parseHistoryLine(value), this.#genesis, this.#epochs);
    } catch (cause) {
      if (!(cause instanceof DaemonEyeError)) throw cause;
      if (cause instanceof LedgerError) this.#fail(cause.code, cause.message);
      else this.#fail(cause instanceof DurableError ? 'FILE_UNREADABLE' : 'HISTORY_MALFORMED', cause.message);
      return undefined;
    }
  }

  #fail(code: Problem['code'], reason: string): void {
    this.#next = undefined;
    this.problem ??= { code, reason: `history line ${this.#number}: ${reason}` };
  }
}
