import { utf8 } from '../core/bytes.ts';
import { type Digest, formatDigest, type HashFunction, type HashName } from '../core/digest.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { PublicKey } from '../core/keys.ts';
import { HASH_BYTES } from '../core/merkle.ts';
import { leafOf } from './chain.ts';
import { ClockFollower, type Moment } from './clock.ts';
import type { Epochs } from './epochs.ts';
import { CLOCK_JUMP, LOG_PRUNE, LOG_RECOVERY, LOG_ROTATE } from './format.ts';
import { type Line, parseLine } from './line.ts';
import { LineScanner, type ScannedLine } from './line-scan.ts';
import { verifyLineSignature } from './line-signature.ts';

/** A key that may have signed the lines [from, to). */
export type BatchSigner = {
  readonly keyid: string;
  readonly raw: Uint8Array;
  readonly from: number;
  readonly to: number;
};

/** What looking at lines takes, apart from the lines; can be sent to another thread. */
export type BatchContext = { readonly hash: HashName; readonly signers: readonly BatchSigner[] };

/**
 * Lines in a row of which nothing has to be told one by one: each attached to the one before it, clocks never back,
 * every signature good, and no entry that means something for the log itself.
 */
export type PlainBatch = {
  readonly firstSeq: number;
  /** What the first line says it was written after. */
  readonly prev: Digest;
  /** The leaf hashes, one after the other. */
  readonly leaves: Uint8Array;
  readonly first: Moment;
  readonly last: Moment;
  /** How many lines are signed by themselves. */
  readonly signed: number;
};

/** What is in the log for the log's own sake is for the audit to see. */
const TELLING: readonly string[] = [CLOCK_JUMP, LOG_PRUNE, LOG_RECOVERY, LOG_ROTATE];
const NEWLINE = 0x0a;

/** The log's own keys, each for the lines of its time, and the others for all. */
export function batchSigners(epochs: Epochs, signers: readonly PublicKey[]): BatchSigner[] {
  const own = epochs.map(({ key, start }, i) => ({
    keyid: key.keyid,
    raw: key.raw,
    // The line of a rotation belongs to the key before it, as `isKeyOfLine` has it.
    from: i === 0 ? 0 : start + 1,
    to: (epochs[i + 1]?.start ?? Number.POSITIVE_INFINITY) + 1,
  }));
  const others = signers.filter(({ keyid }) => own.every((known) => known.keyid !== keyid));
  return [...own, ...others.map(({ keyid, raw }) => ({ keyid, raw, from: 0, to: Number.POSITIVE_INFINITY }))];
}

/** Looks at many lines at once, of which usually nothing has to be said. Pure. */
export class BatchReader {
  readonly #context: BatchContext;
  readonly #hash: HashFunction;
  readonly #hashName: Uint8Array;
  readonly #scanner = new LineScanner();
  /** The same object for the same key, so that what node:crypto makes of a key is made once. */
  readonly #keys: readonly { readonly key: PublicKey; readonly from: number; readonly to: number }[];

  constructor(context: BatchContext, hash: HashFunction) {
    this.#context = context;
    this.#hash = hash;
    this.#hashName = utf8(`${context.hash}:`);
    this.#keys = context.signers.map(({ keyid, raw, from, to }) => ({
      key: { algorithm: 'ed25519', keyid, raw, pem: '' },
      from,
      to,
    }));
  }

  /**
   * @param bytes whole lines, each with its newline
   * @returns undefined where the lines have to be taken one by one, to say what is wrong or what they tell. That is no
   *   verdict; what it does return holds for every line as the audit would have it
   */
  read(bytes: Uint8Array, firstSeq: number): PlainBatch | undefined {
    try {
      return this.#read(bytes, firstSeq);
    } catch (cause) {
      if (cause instanceof DaemonEyeError) return undefined;
      throw cause;
    }
  }

  #read(bytes: Uint8Array, firstSeq: number): PlainBatch | undefined {
    const clock = new ClockFollower();
    const leaves: Uint8Array[] = [];
    let prev: Digest | undefined;
    let first: Moment | undefined;
    let last: Moment | undefined;
    let leaf: Uint8Array | undefined;
    let signed = 0;
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      const text = bytes.subarray(from, end);
      const line = this.#line(text, firstSeq + leaves.length, leaf);
      if (line === undefined || TELLING.includes(line.type) || clock.next(line) !== undefined) return undefined;
      if (line.kid !== undefined && !this.#isSigned(line)) return undefined;
      if (line.kid !== undefined) signed += 1;
      if ('prev' in line) prev ??= line.prev;
      last = { ts: line.ts, mono: line.mono, boot: line.boot };
      first ??= last;
      leaf = leafOf(this.#hash, text);
      leaves.push(leaf);
      from = end + 1;
    }
    if (from !== bytes.length || prev === undefined || first === undefined || last === undefined) return undefined;
    const all = new Uint8Array(leaves.length * HASH_BYTES);
    for (const [i, hash] of leaves.entries()) all.set(hash, i * HASH_BYTES);
    return { firstSeq, prev, leaves: all, first, last, signed };
  }

  /** The line, if it attaches to the one before it; the first only has its place. */
  #line(text: Uint8Array, seq: number, before: Uint8Array | undefined): ScannedLine | Line | undefined {
    const scanned = before === undefined ? undefined : this.#scanner.scan(text, this.#hashName, before);
    if (scanned?.seq === seq) return scanned;
    // A copy: the bytes may lie in shared memory, which decoders don't take.
    const line = parseLine(text.slice());
    const attached = before === undefined || line.prev === formatDigest(this.#context.hash, before);
    return line.seq === seq && attached ? line : undefined;
  }

  #isSigned(line: Line): boolean {
    const { seq } = line;
    return this.#keys.some(
      ({ key, from, to }) => key.keyid === line.kid && seq >= from && seq < to && verifyLineSignature(line, key),
    );
  }
}
