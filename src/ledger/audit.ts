import { equalBytes, utf8 } from '../core/bytes.ts';
import { Frontier } from '../core/compact-range.ts';
import { formatDigest, type HashFunction } from '../core/digest.ts';
import type { PublicKey } from '../core/keys.ts';
import { HASH_BYTES } from '../core/merkle.ts';
import { attachLine, type ChainEnd, chainStart, leafOf } from './chain.ts';
import { OR_A_COPY, type Problem } from './check-list.ts';
import { type ClockedLine, ClockFollower, type ClockJump } from './clock.ts';
import { type Epoch, type Epochs, isKeyOfLine } from './epochs.ts';
import { LedgerError } from './errors.ts';
import { CLOCK_JUMP, EPOCHS_FILE, LOG_PRUNE, LOG_RECOVERY, LOG_ROTATE, MAX_LINE_BYTES } from './format.ts';
import type { Genesis } from './genesis.ts';
import type { HistoryAudit } from './history-audit.ts';
import { type Line, parseLine } from './line.ts';
import type { PlainBatch } from './line-batch.ts';
import { LineScanner, type ScannedLine } from './line-scan.ts';
import { verifyLineSignature } from './line-signature.ts';
import { type Place, problemAt, type WalkedLine } from './place.ts';
import { PruneAudit, type Prunes } from './prune-audit.ts';
import type { TreeAudit } from './tree-audit.ts';

export type AuditParts = {
  readonly genesis: Genesis;
  readonly hash: HashFunction;
  /** Lines up to here are signed; beyond, a last unfinished one is no fault. */
  readonly signedSize: number;
  /** Sizes at which the root will be asked for. */
  readonly sizes: readonly number[];
  readonly epochs: Epochs;
  /** Who may sign lines besides the log's own keys. */
  readonly signers: readonly PublicKey[];
  readonly tree: TreeAudit;
  readonly history: HistoryAudit;
  readonly prunes?: Prunes | undefined;
};

/**
 * One pass over the lines of a log in flat memory, gathering what every check needs. Pure: lines come in, findings
 * stay here.
 */
export class Audit {
  readonly #parts: AuditParts;
  readonly #frontier: Frontier;
  readonly #clock = new ClockFollower();
  readonly #sizes: ReadonlySet<number>;
  readonly #roots = new Map<number, Uint8Array>();
  readonly #scanner = new LineScanner();
  readonly #hashName: Uint8Array;
  #size = 0;
  /** The leaf of the line before, once there is one. */
  #leaf: Uint8Array | undefined;
  #last: Place | undefined;
  lines: Problem | undefined;
  signature: Problem | undefined;
  clock: Problem | undefined;
  /** Bytes of a last line that is being written, or was when a crash came. */
  unfinished = 0;
  signed = 0;
  /** Lines that were dropped, and what signed entries say of it. */
  pruned = 0;
  readonly prunes: PruneAudit;
  jumps = 0;
  recoveries = 0;

  constructor(parts: AuditParts) {
    this.#parts = parts;
    this.prunes = new PruneAudit(parts.genesis, parts.prunes);
    this.#frontier = Frontier.empty(parts.hash);
    this.#hashName = utf8(`${parts.genesis.hash}:`);
    this.#sizes = new Set(parts.sizes);
    this.#noteRoot();
  }

  /** Lines that hold, so far. */
  get size(): number {
    return this.#size;
  }

  get #end(): ChainEnd {
    const { genesis } = this.#parts;
    return this.#leaf === undefined
      ? chainStart(genesis)
      : { seq: this.#size, prev: formatDigest(genesis.hash, this.#leaf) };
  }

  /** The root over the first `size` lines, for one of the sizes asked for. */
  rootAt(size: number): Uint8Array | undefined {
    return this.#roots.get(size);
  }

  /** A line that was dropped: its hash is what is left of it. */
  takePruned(leaf: Uint8Array): boolean {
    const seq = this.#size;
    const known = this.#parts.epochs.find(({ start, line }) => line !== undefined && start === seq)?.line;
    if (known !== undefined && !equalBytes(leafOf(this.#parts.hash, known), leaf)) {
      this.lines = { code: 'EPOCH_MISMATCH', reason: `${EPOCHS_FILE} has another line ${seq} than the log had` };
      return false;
    }
    this.#grow(leaf);
    this.pruned += 1;
    return true;
  }

  #grow(leaf: Uint8Array): void {
    this.#parts.tree.take(this.#frontier.append(leaf));
    this.#leaf = leaf;
    this.#size += 1;
    this.#noteRoot();
    this.#parts.history.take(this.#frontier);
  }

  /** @returns whether the next line can be looked at: after the first that doesn't hold, none can */
  take({ bytes, place, flaw }: WalkedLine): boolean {
    if (flaw !== undefined) {
      this.#takeFlawed(bytes, place, flaw);
      return false;
    }
    const line = this.#scan(bytes) ?? this.#attach(bytes, place);
    if (line === undefined || !this.#isKnownEpoch(line, bytes, place)) return false;
    const leaf = leafOf(this.#parts.hash, bytes);
    this.#grow(leaf);
    this.#last = place;
    this.#notePrune(line, bytes);
    this.#checkClock(line, place);
    if (line.kid !== undefined) this.#checkSignature(line, place);
    return true;
  }

  /**
   * Lines that were looked at together. When they don't fit on here, nothing has happened.
   * @returns whether they were taken; if not, they are to be taken one by one
   */
  takePlain({
    firstSeq,
    prev,
    leaves,
    first,
    last,
    signed,
    lastPlace,
  }: PlainBatch & { readonly lastPlace: Place }): boolean {
    const { epochs } = this.#parts;
    const count = leaves.length / HASH_BYTES;
    if (firstSeq !== this.#size || this.#end.prev !== prev || this.#clock.isBack(first)) return false;
    // Where a key takes over, each line is compared with what the epochs say.
    const isTelling = ({ start, line }: Epoch) => line !== undefined && start >= firstSeq && start < firstSeq + count;
    if (lastPlace.seq !== firstSeq + count - 1 || (epochs.length > 1 && epochs.some(isTelling))) return false;
    for (let at = 0; at < leaves.length; at += HASH_BYTES) this.#grow(leaves.slice(at, at + HASH_BYTES));
    this.#clock.skipTo(last);
    this.#last = lastPlace;
    this.signed += signed;
    return true;
  }

  /** The common case: an unsigned line that attaches. Undefined where it has to be parsed, or is wrong. */
  #scan(bytes: Uint8Array): ScannedLine | undefined {
    if (this.#leaf === undefined) return undefined;
    const line = this.#scanner.scan(bytes, this.#hashName, this.#leaf);
    return line?.seq === this.#size ? line : undefined;
  }

  /** A rotation that epochs.ndjson doesn't hold would let heads be signed by a key that nobody passed on. */
  #isKnownEpoch({ type, seq }: ScannedLine | Line, bytes: Uint8Array, place: Place): boolean {
    const isRotation = type === LOG_ROTATE;
    if (!isRotation && this.#parts.epochs.length === 1) return true;
    const known = this.#parts.epochs.find(({ start, line }) => line !== undefined && start === seq)?.line;
    // Beyond the head it may be one that a crash interrupted; or anything: nobody has signed for it yet.
    if (known === undefined && (!isRotation || seq >= this.#parts.signedSize)) return true;
    if (known !== undefined && equalBytes(known, bytes)) return true;
    const reason = `${EPOCHS_FILE} and the lines disagree about which key the log has from here on`;
    this.lines = problemAt(place, 'EPOCH_MISMATCH', reason);
    return false;
  }

  #attach(bytes: Uint8Array, place: Place): Line | undefined {
    try {
      return attachLine(this.#end, bytes);
    } catch (cause) {
      if (!(cause instanceof LedgerError)) throw cause;
      this.lines = this.#changedBefore(cause) ?? problemAt(place, cause.code, cause.message);
      return undefined;
    }
  }

  /**
   * A changed line shows in the line after it, whose link no longer fits. The stored leaf says which of the two it was;
   * without one (tree files are only a convenience) the place is where the chain breaks.
   */
  #changedBefore({ code }: LedgerError): Problem | undefined {
    const changed = this.#last;
    if (code !== 'LINE_CHAIN' || changed === undefined || this.#parts.tree.wrongLeaf !== changed.seq) return undefined;
    const reason = 'it was changed: the entry after it and the tree hold another hash for it';
    return problemAt(changed, 'LINE_CHANGED', reason);
  }

  #takeFlawed(bytes: Uint8Array, place: Place, flaw: 'unfinished' | 'surplus'): void {
    if (flaw === 'surplus') {
      const reason = `the file has more than ${this.#parts.genesis.limits.rotate} lines`;
      this.lines = problemAt(place, 'LINE_SURPLUS', reason);
    } else if (bytes.length > MAX_LINE_BYTES) {
      this.lines = problemAt(place, 'LINE_TOO_LONG', `over ${MAX_LINE_BYTES} bytes without a newline`);
    } else if (place.seq < this.#parts.signedSize) {
      this.lines = problemAt(place, 'LINES_MISSING', `the line is cut short, though it was signed; ${OR_A_COPY}`);
    } else {
      this.unfinished = bytes.length;
    }
  }

  #noteRoot(): void {
    if (this.#sizes.has(this.#frontier.size)) this.#roots.set(this.#frontier.size, this.#frontier.root());
  }

  #notePrune({ type, seq }: ScannedLine | Line, bytes: Uint8Array): void {
    if (type !== LOG_PRUNE || seq >= this.#parts.signedSize) return;
    this.prunes.take(parseLine(bytes));
  }

  #checkClock(line: ClockedLine, place: Place): void {
    if (line.type === CLOCK_JUMP) this.jumps += 1;
    if (line.type === LOG_RECOVERY) this.recoveries += 1;
    const jump = this.#clock.next(line);
    if (jump !== undefined) this.clock ??= problemAt(place, 'CLOCK_UNRECORDED', describeJump(jump));
  }

  #checkSignature(line: Line, place: Place): void {
    this.signed += 1;
    if (this.signature !== undefined) return;
    const { epochs, signers } = this.#parts;
    const own = epochs.find(({ key }) => key.keyid === line.kid)?.key;
    const signer = own ?? signers.find(({ keyid }) => keyid === line.kid);
    if (own !== undefined && !isKeyOfLine(epochs, own.keyid, line.seq)) {
      const reason = "it is signed by a key that was not the log's at that line";
      this.signature = problemAt(place, 'EPOCH_MISMATCH', reason);
    } else if (signer === undefined) {
      this.signature = problemAt(place, 'SIGNER_UNKNOWN', `signed by an unknown key ${line.kid}`);
    } else if (!verifyLineSignature(line, signer)) {
      this.signature = problemAt(place, 'LINE_SIGNATURE', 'its signature is not valid');
    }
  }
}

function describeJump({ clock, from, to }: ClockJump): string {
  return `${clock} goes back from ${from} to ${to} and no ${CLOCK_JUMP} entry says so`;
}
