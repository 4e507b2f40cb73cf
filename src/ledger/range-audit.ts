import { type Digest, formatDigest, type HashFunction } from '../core/digest.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { TracedLine } from '../core/evidence/trace-chain.ts';
import type { PublicKey } from '../core/keys.ts';
import { HASH_BYTES } from '../core/merkle.ts';
import { leafOf } from './chain.ts';
import { type Epochs, isKeyOfLine } from './epochs.ts';
import { LedgerError, type LedgerErrorCode } from './errors.ts';
import { type Line, parseLine } from './line.ts';
import { verifyLineSignature } from './line-signature.ts';
import type { RangeDocument } from './range-document.ts';
import { isTraced, tracedLineOf, traceIdOf } from './traced-line.ts';

export type RangeAuditParts = {
  /** Which log, as a sentence calls it: escaped already. */
  readonly name: string;
  readonly range: RangeDocument;
  /** Lines that are expected. */
  readonly lines: number;
  readonly hash: HashFunction;
  /** What line 0's `prev` must be. */
  readonly genesis?: Digest;
  /** The log's own keys, each for the lines of its time. */
  readonly epochs?: Epochs;
  /** Who else may sign lines in this log. */
  readonly signers?: readonly PublicKey[];
  /** The lines of this trace are gathered. */
  readonly traceId?: string;
};

/** Where a line stands: its seq, and its number among the shown lines as an editor counts. */
type Where = { readonly seq: number; readonly number: number };

/** The first of its kind that is wrong with the lines of a log; the message names log, line and seq. */
export type LineFlaw = { readonly code: LedgerErrorCode; readonly reason: string };

/**
 * One pass over the lines that a range proof shows. Pure: lines come in, findings stay, 32 bytes for each line.
 *
 * Within a run each line's `prev` is the leaf hash of the line before it, and the proof names the leaf of the run's
 * last. So a changed line shows as a link to it that doesn't hold. Where that takes the link before it along (`prev`
 * itself was changed), the later of two broken links in a row tells which line it is.
 */
export class RangeAudit {
  readonly range: RangeDocument;
  readonly hash: HashFunction;
  readonly #parts: RangeAuditParts;
  readonly #leaves: Uint8Array;
  #taken = 0;
  #run = 0;
  /** The seq that comes next; undefined after the last. */
  #next: number | undefined;
  #before: (Where & { readonly leaf: Digest }) | undefined;
  /** The line whose link did not hold, as long as the next one may still take the blame. */
  #suspect: Where | undefined;
  lineFlaw: LineFlaw | undefined;
  signatureFlaw: LineFlaw | undefined;
  signed = 0;
  readonly traced: TracedLine[] = [];

  constructor(parts: RangeAuditParts) {
    this.range = parts.range;
    this.hash = parts.hash;
    this.#parts = parts;
    this.#leaves = new Uint8Array(parts.lines * HASH_BYTES);
    this.#next = parts.range.runs[0]?.from;
  }

  /** Lines that were taken. */
  get lines(): number {
    return this.#taken;
  }

  /** The leaf hashes of the shown lines, each call the next one: the order in which `verifyRange` asks. */
  leaves(): () => Uint8Array | undefined {
    let at = 0;
    return () => {
      if (at === this.#taken) return undefined;
      at += 1;
      return this.#leaves.subarray((at - 1) * HASH_BYTES, at * HASH_BYTES);
    };
  }

  /**
   * @param bytes of the next line, without its newline @param ended whether it had one
   * @returns whether to go on: after the first flaw no later line means anything
   */
  take(bytes: Uint8Array, ended: boolean): boolean {
    const where = { seq: this.#next ?? 0, number: this.#taken + 1 };
    try {
      if (this.lineFlaw !== undefined) return false;
      if (this.#next === undefined || this.#taken === this.#parts.lines) {
        throw flaw('LINE_SURPLUS', 'there are more lines than the range proof shows');
      }
      const line = parse(bytes, ended, where);
      const leaf = leafOf(this.hash, bytes);
      this.#leaves.set(leaf, this.#taken * HASH_BYTES);
      this.#taken += 1;
      this.#link(line, formatDigest(this.range.hash, leaf), where);
      return this.lineFlaw === undefined;
    } catch (cause) {
      if (!(cause instanceof DaemonEyeError)) throw cause;
      this.lineFlaw ??= this.#at(where, cause.code as LedgerErrorCode, cause.message);
      return false;
    }
  }

  /** Call after the last line. */
  finish(): void {
    if (this.lineFlaw !== undefined || this.#next === undefined) return;
    const where = { seq: this.#next, number: this.#taken + 1 };
    this.lineFlaw = this.#at(where, 'LINE_MISSING', 'it and all after it were taken out');
  }

  #link(line: Line, leaf: Digest, where: Where): void {
    const run = this.range.runs[this.#run];
    const { seq } = where;
    if (seq === 0) this.#settle(this.#parts.genesis === undefined || line.prev === this.#parts.genesis, where);
    else if (this.#before !== undefined) this.#settle(line.prev === this.#before.leaf, this.#before);
    const isLast = seq + 1 === run?.to;
    if (isLast) this.#settle(leaf === run.head, where);
    if (isLast && this.#suspect !== undefined) this.#blame(this.#suspect);
    if (isLast) this.#run += 1;
    this.#before = isLast ? undefined : { ...where, leaf };
    this.#next = isLast ? this.range.runs[this.#run]?.from : seq + 1;
    this.#judge(line, leaf, where);
  }

  #settle(holds: boolean, left: Where): void {
    if (!holds) this.#suspect = left;
    else if (this.#suspect !== undefined) this.#blame(this.#suspect);
  }

  #blame(where: Where): void {
    this.lineFlaw ??= this.#at(where, 'LINE_CHANGED', 'it is not the line that was logged: it was changed');
  }

  #judge(line: Line, leaf: Digest, where: Where): void {
    const traced = tracedLineOf(line, leaf);
    if (traced !== undefined && traceIdOf(line) === this.#parts.traceId) this.traced.push(traced);
    if (line.kid === undefined) {
      if (isTraced(line))
        this.#distrust(where, 'TRACE_LINE_UNSIGNED', 'a line of a trace must be signed, and it is not');
      return;
    }
    this.signed += 1;
    if (this.signatureFlaw !== undefined) return;
    const { epochs, signers = [] } = this.#parts;
    const own = epochs?.find(({ key }) => key.keyid === line.kid)?.key;
    const signer = own ?? signers.find(({ keyid }) => keyid === line.kid);
    if (own !== undefined && epochs !== undefined && !isKeyOfLine(epochs, own.keyid, where.seq)) {
      this.#distrust(where, 'EPOCH_MISMATCH', "it is signed by a key that was not the log's at that line");
    } else if (signer === undefined) {
      this.#distrust(where, 'LINE_SIGNER_UNKNOWN', `it is signed by ${line.kid}, a key not known for this log`);
    } else if (!verifyLineSignature(line, signer)) {
      this.#distrust(where, 'LINE_SIGNATURE', 'its signature is not valid');
    }
  }

  #distrust(where: Where, code: LedgerErrorCode, problem: string): void {
    this.signatureFlaw ??= this.#at(where, code, problem);
  }

  #at({ seq, number }: Where, code: LedgerErrorCode, problem: string): LineFlaw {
    return { code, reason: `${this.#parts.name}, line ${number} (seq ${seq}): ${problem}` };
  }
}

function parse(bytes: Uint8Array, ended: boolean, { seq }: Where): Line {
  if (!ended) throw flaw('LINE_MALFORMED', 'it does not end in a newline');
  const line = parseOrRefuse(bytes);
  if (line.seq !== seq) {
    throw flaw('LINE_SEQUENCE', `the line with seq ${line.seq} stands there: lines were taken out, put in or moved`);
  }
  return line;
}

function parseOrRefuse(bytes: Uint8Array): Line {
  try {
    return parseLine(bytes);
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw cause;
    throw flaw('LINE_MALFORMED', cause.message);
  }
}

function flaw(code: LedgerErrorCode, problem: string): DaemonEyeError {
  return new LedgerError(code, problem, { fault: 'untrusted' });
}
