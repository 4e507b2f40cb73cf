import { type Checkpoint, signCheckpoint } from '../core/checkpoint.ts';
import type { Frontier } from '../core/compact-range.ts';
import { type Digest, formatDigest } from '../core/digest.ts';
import type { PrivateKey } from '../core/keys.ts';
import { type DurableError, durableErrorFrom } from '../durable/errors.ts';
import type { Clock } from './clock.ts';
import { type ComposedLine, type Composer, type ComposerState, joinLines, type NewEntry } from './composer.ts';
import { type EntriesWriter, WriteRefused } from './entries-writer-io.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import type { SignedHead } from './heads.ts';
import type { HeadsWriter, HistoryWriter } from './heads-writer-io.ts';
import type { TreeWriter } from './tree-files-io.ts';

export type CommitterParts = {
  readonly genesis: Genesis;
  readonly key: PrivateKey;
  readonly clock: Clock;
  readonly composer: Composer;
  readonly frontier: Frontier;
  readonly head: SignedHead;
  readonly entries: EntriesWriter;
  readonly tree: TreeWriter;
  readonly heads: HeadsWriter;
  readonly history: HistoryWriter;
  readonly directory: string;
};

/** An entry that is durable. */
export type Appended = {
  readonly seq: number;
  readonly leaf: Digest;
  /** The exact bytes, without the newline. */
  readonly line: Uint8Array;
};

type Settle<T> = { readonly resolve: (value: T) => void; readonly reject: (reason: Error) => void };
type Pending = ComposedLine & { readonly settle: Settle<Appended> | undefined };
type HeadWaiter = Settle<SignedHead> & { readonly size: number };

/** Bounds what one fdatasync covers, and with it how long the first waiter waits. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/**
 * Group commit: write lines → one fdatasync → acknowledge → sign the new head. Nothing is signed before it is durable,
 * nothing acknowledged before that. What arrives while the disk is busy makes up the next commit.
 */
export class Committer {
  readonly #parts: CommitterParts;
  #queue: Pending[] = [];
  #waiters: HeadWaiter[] = [];
  /** What the next line would depend on if nothing in the queue came to be written. */
  #durable: ComposerState;
  #head: SignedHead;
  #running: Promise<void> | undefined;
  #stopped: LedgerError | undefined;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#durable = parts.composer.state;
    this.#head = parts.head;
  }

  /** Entries that are durable. */
  get size(): number {
    return this.#durable.end.seq;
  }

  /** @throws LedgerError LEDGER_STOPPED, LINE_MALFORMED or LINE_TOO_LONG; DurableError */
  async append(entry: NewEntry): Promise<Appended> {
    if (this.#stopped !== undefined) throw this.#stopped;
    // Before anything is awaited, so that entries get the order in which append was called.
    const lines = this.#parts.composer.compose(entry);
    const { promise, resolve, reject } = Promise.withResolvers<Appended>();
    const last = lines.length - 1;
    this.#queue.push(...lines.map((line, i) => ({ ...line, settle: i === last ? { resolve, reject } : undefined })));
    this.#running ??= this.#run();
    return await promise;
  }

  /** @throws LedgerError LEDGER_STOPPED */
  async head(): Promise<SignedHead> {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#head.checkpoint.size >= this.size) return this.#head;
    const { promise, resolve, reject } = Promise.withResolvers<SignedHead>();
    this.#waiters.push({ size: this.size, resolve, reject });
    return await promise;
  }

  /** Resolves when nothing is waiting any more, well or badly. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Callers of the same turn join the first commit.
    await Promise.resolve();
    let batch: Pending[] = [];
    try {
      while (this.#queue.length > 0) {
        batch = this.#takeBatch();
        await this.#commit(batch);
      }
    } catch (cause) {
      this.#stop(batch, cause);
    }
    this.#running = undefined;
  }

  /** Lines that belong in one file. */
  #takeBatch(): Pending[] {
    let count = 0;
    let bytes = 0;
    const file = this.#fileOf(this.#queue[0]);
    for (const pending of this.#queue) {
      if (this.#fileOf(pending) !== file || bytes >= MAX_BATCH_BYTES) break;
      bytes += pending.line.length;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  #fileOf(pending: Pending | undefined): number {
    const seq = pending?.seq ?? 0;
    return seq - (seq % this.#parts.genesis.limits.rotate);
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const { entries, tree, frontier, genesis } = this.#parts;
    try {
      await entries.append(this.#fileOf(batch[0]), joinLines(batch));
    } catch (cause) {
      if (!(cause instanceof WriteRefused)) throw cause;
      this.#takeBack(batch, durableErrorFrom(cause.cause, 'append to the log in', this.#parts.directory));
      return;
    }
    for (const { leaf, after } of batch) {
      tree.put(frontier.append(leaf));
      this.#durable = after;
    }
    for (const { seq, leaf, line, settle } of batch) {
      settle?.resolve({ seq, leaf: formatDigest(genesis.hash, leaf), line });
    }
    await unlessFull(tree.flush());
    await this.#sign();
  }

  async #sign(): Promise<void> {
    const { genesis, key, frontier, heads, history, clock } = this.#parts;
    const checkpoint: Checkpoint = { origin: genesis.origin, size: frontier.size, root: frontier.root() };
    const head = { checkpoint, note: signCheckpoint(checkpoint, key, genesis.hash) };
    await heads.store(head.note);
    this.#head = head;
    const served = this.#waiters.filter(({ size }) => size <= checkpoint.size);
    this.#waiters = this.#waiters.filter(({ size }) => size > checkpoint.size);
    for (const { resolve } of served) resolve(head);
    await unlessFull(history.offer(head, clock.mono()));
  }

  /** The batch was not written; what waits behind it is attached to it and falls with it. */
  #takeBack(batch: readonly Pending[], reason: DurableError): void {
    const fallen = [...batch, ...this.#queue];
    this.#queue = [];
    this.#parts.composer.state = this.#durable;
    for (const { settle } of fallen) settle?.reject(reason);
  }

  /**
   * For good: after a failed fsync the kernel may have dropped the very pages it could not write and report success the
   * next time, so nothing that this process believes about the file holds any more.
   */
  #stop(batch: readonly Pending[], cause: unknown): void {
    const { message } = durableErrorFrom(cause, 'write the log in', this.#parts.directory);
    const stopped = new LedgerError('LEDGER_STOPPED', `the log stopped: ${message}; then open it anew`, { cause });
    this.#stopped = stopped;
    for (const { settle } of [...batch, ...this.#queue]) settle?.reject(stopped);
    for (const { reject } of this.#waiters) reject(stopped);
    this.#queue = [];
    this.#waiters = [];
  }
}

/** Tree files and history can be derived or can wait: a full disk must not stop a log that still holds its lines. */
async function unlessFull(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    if (durableErrorFrom(cause, 'write', '').code !== 'NO_SPACE') throw cause;
  }
}
