import { formatDigest, type HashFunction } from '../core/digest.ts';
import type { TracedLine } from '../core/evidence/trace-chain.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { leafOf } from './chain.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import { parseLine } from './line.ts';
import { checkTrace } from './trace-check.ts';
import { tracedLineOf, traceIdOf } from './traced-line.ts';

/** Chooses the lines of one trace as they come by. */
export class TraceLines {
  readonly #trace: string;
  readonly #genesis: Genesis;
  readonly #hash: HashFunction;
  readonly #needle: Buffer;
  readonly #traced: TracedLine[] = [];
  readonly #shown: number[] = [];

  constructor(trace: string, genesis: Genesis, hash: HashFunction) {
    this.#trace = trace;
    this.#genesis = genesis;
    this.#hash = hash;
    // Lines are canonical, so bytes tell which of them needn't be parsed: most.
    this.#needle = Buffer.from(JSON.stringify(trace));
  }

  /** @throws LedgerError TRACE_LINE_UNSIGNED: what the other side would refuse is not proved */
  take(bytes: Uint8Array): void {
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(this.#needle)) return;
    const line = parseLine(bytes);
    if (traceIdOf(line) !== this.#trace) return;
    const traced = tracedLineOf(line, formatDigest(this.#genesis.hash, leafOf(this.#hash, bytes)));
    if (traced === undefined) return;
    if (line.kid === undefined) {
      const message = `line ${line.seq} of ${escapeForTerminal(this.#genesis.origin)} is of the trace, and not signed`;
      throw new LedgerError('TRACE_LINE_UNSIGNED', message);
    }
    this.#traced.push(traced);
    this.#shown.push(line.seq);
  }

  /**
   * @returns their seqs, ascending
   * @throws LedgerError TRACE_NOT_FOUND, or TRACE_NOT_WHOLE when a line of it lies outside of what came by
   */
  finish(): readonly number[] {
    if (this.#traced.length === 0) {
      const message = `no line of the trace ${escapeForTerminal(this.#trace)} is in this range; check id and range`;
      throw new LedgerError('TRACE_NOT_FOUND', message);
    }
    try {
      checkTrace(this.#trace, this.#traced);
    } catch (cause) {
      if (!(cause instanceof LedgerError)) throw cause;
      const message = `${cause.message}; widen the range, wait for its trace.stop, or export it from all its logs (evidence export)`;
      throw new LedgerError('TRACE_NOT_WHOLE', message, { cause });
    }
    return this.#shown;
  }
}
