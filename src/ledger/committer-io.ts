import { type Checkpoint, signCheckpoint } from '../core/checkpoint.ts';
import type { Frontier } from '../core/compact-range.ts';
import { type Digest, formatDigest, type HashName } from '../core/digest.ts';
import type { PrivateKey } from '../core/keys.ts';
import { type DurableError, durableErrorFrom } from '../durable/errors.ts';
import type { Clock } from './clock.ts';
import { type ComposedLine, type Composer, type ComposerState, joinLines, type NewEntry } from './composer.ts';
import { type EntriesWriter, WriteRefused } from './entries-writer-io.ts';
import { LedgerError } from './errors.ts';
import type { Genesis } from './genesis.ts';
import type { SignedHead } from './heads.ts';
import type { HeadsWriter, HistoryWriter } from './heads-writer-io.ts';
import { fullDiskEntry, type Quota } from './quota.ts';
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
  readonly quota?: Quota;
};

/** An entry that is durable. */
export type Appended = {
  readonly seq: number;
  readonly leaf: Digest;
  /** The exact bytes, without the newline: a copy. */
  readonly line: Uint8Array;
};

/** Spells out what is asked for. The line is copied: neighbours share its memory, and who may append may neither read nor change them. */
class DurableEntry implements Appended {
  readonly #composed: ComposedLine;
  readonly #hash: HashName;

  constructor(composed: ComposedLine, hash: HashName) {
    this.#composed = composed;
    this.#hash = hash;
  }

  get seq(): number {
    return this.#composed.seq;
  }

  get leaf(): Digest {
    return formatDigest(this.#hash, this.#composed.leaf);
  }

  get line(): Uint8Array {
    const { room, from, to } = this.#composed;
    return new Uint8Array(room.subarray(from, to - 1));
  }
}

type Settle<T> = { readonly resolve: (value: T) => void; readonly reject: (reason: Error) => void };
type Pending = { readonly composed: ComposedLine; readonly settle: Settle<Appended> | undefined };
type HeadWaiter = Settle<SignedHead> & { readonly size: number };

/** Bounds what one fdatasync covers, and with it how long the first waiter waits. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** Lines not yet durable, in bytes: one batch on its way to the disk, as much again behind it, and some slack. */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;
/** Below it there is room again: what is queued keeps the disk busy until callers have woken up. */
const ROOMY_BYTES = 2 * MAX_BATCH_BYTES;

/**
 * Group commit: write lines → one fdatasync → acknowledge → sign the new head. Nothing is signed before it is durable,
 * nothing acknowledged before that. What arrives while the disk is busy makes up the next commit.
 */
export class Committer {
  readonly #parts: CommitterParts;
  #queue: Pending[] = [];
  #waiters: HeadWaiter[] = [];
  /** Bytes of lines that are queued or on their way to the disk. */
  #queuedBytes = 0;
  #room: PromiseWithResolvers<void> | undefined;
  /** What the next line would depend on if nothing in the queue came to be written. */
  #durable: ComposerState;
  #head: SignedHead;
  /** The tree over the durable lines. */
  #frontier: Frontier;
  #running: Promise<void> | undefined;
  /** The disk had no room; the next line that it takes comes after one that says so. */
  #full: { readonly since: number; readonly isTold: boolean } | undefined;
  #stopped: LedgerError | undefined;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
    this.#durable = parts.composer.state;
    this.#head = parts.head;
    this.#frontier = parts.frontier;
  }

  /** Entries that are durable. */
  get size(): number {
    return this.#durable.end.seq;
  }

  /** The tree over them. */
  get frontier(): Frontier {
    return this.#frontier;
  }

  /** @throws LedgerError LEDGER_STOPPED, LEDGER_BUSY, LINE_MALFORMED or LINE_TOO_LONG; DurableError */
  append(entry: NewEntry): Promise<Appended> {
    // One promise an entry: an async function here, and one around it, would make three.
    return new Promise((resolve, reject) => {
      if (this.#stopped !== undefined) throw this.#stopped;
      if (this.#queuedBytes >= MAX_QUEUED_BYTES) throw busy(this.#queuedBytes);
      const refusal = this.#parts.quota?.refuses(entry, this.#queuedBytes);
      if (refusal?.told !== undefined) this.#enqueue([refusal.told]);
      if (refusal !== undefined) throw refusal.error;
      const full = this.#full?.isTold === false ? this.#full : undefined;
      this.#enqueue(full === undefined ? [entry] : [this.#afterFull(full.since), entry], { resolve, reject });
      if (full !== undefined) this.#full = { ...full, isTold: true };
    });
  }

  /**
   * Before anything is awaited, so that entries get the order in which append was called.
   * @param settle told about the last of them
   */
  #enqueue(entries: readonly NewEntry[], settle?: Settle<Appended>): void {
    const { composer } = this.#parts;
    const lines = composer.compose(entries);
    for (let i = 0; i < lines.length; i += 1) {
      const composed = lines[i] as ComposedLine;
      this.#queue.push({ composed, settle: i === lines.length - 1 ? settle : undefined });
      this.#queuedBytes += composed.to - composed.from;
    }
    this.#running ??= this.#run();
  }

  #afterFull(since: number): NewEntry {
    const { genesis, clock } = this.#parts;
    return fullDiskEntry(genesis, since, clock.now());
  }

  /** Resolves when there is room in the queue. @throws LedgerError LEDGER_STOPPED */
  async ready(): Promise<void> {
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#queuedBytes < ROOMY_BYTES) return;
    this.#room ??= Promise.withResolvers();
    await this.#room.promise;
    if (this.#stopped !== undefined) throw this.#stopped;
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
      bytes += bytesOf(pending);
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  #fileOf(pending: Pending | undefined): number {
    const seq = pending?.composed.seq ?? 0;
    return seq - (seq % this.#parts.genesis.limits.rotate);
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const { entries, tree, directory, composer, genesis } = this.#parts;
    const lines = batch.map(({ composed }) => composed);
    const joined = joinLines(lines);
    const writing = entries.append(this.#fileOf(batch[0]), joined);
    // Hashed while the disk is busy; it counts for nothing until the lines are durable.
    const mark = tree.mark();
    const grown = this.#frontier.clone();
    for (const { leaf } of lines) tree.put(grown.append(leaf));
    try {
      await writing;
    } catch (cause) {
      if (!(cause instanceof WriteRefused)) throw cause;
      tree.takeBack(mark);
      this.#takeBack(batch, durableErrorFrom(cause.cause, 'append to the log in', directory));
      return;
    }
    this.#frontier = grown;
    const last = lines.at(-1);
    if (last !== undefined) this.#durable = composer.after(last);
    this.#leaveQueue(batch);
    this.#parts.quota?.used(joined.length);
    // What was refused left the queue empty, so the line that says so is the first of the next batch.
    if (this.#full?.isTold === true) this.#full = undefined;
    for (const { composed, settle } of batch) settle?.resolve(new DurableEntry(composed, genesis.hash));
    await unlessFull(tree.flush());
    await this.#sign();
  }

  #leaveQueue(lines: readonly Pending[]): void {
    for (const pending of lines) this.#queuedBytes -= bytesOf(pending);
    if (this.#queuedBytes >= ROOMY_BYTES) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  async #sign(): Promise<void> {
    const { genesis, key, heads, history, clock } = this.#parts;
    const frontier = this.#frontier;
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
    const since = this.#full?.since ?? (reason.code === 'NO_SPACE' ? this.#parts.clock.now() : undefined);
    this.#full = since === undefined ? undefined : { since, isTold: false };
    this.#parts.composer.state = this.#durable;
    this.#leaveQueue(fallen);
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
    this.#room?.resolve();
    this.#room = undefined;
    this.#queue = [];
    this.#waiters = [];
  }
}

function bytesOf({ composed: { from, to } }: Pending): number {
  return to - from;
}

function busy(bytes: number): LedgerError {
  const message = `${bytes} bytes of lines wait for the disk already; this entry was not taken: wait until the log is ready, then append it again`;
  return new LedgerError('LEDGER_BUSY', message);
}

/** Tree files and history can be derived or can wait: a full disk must not stop a log that still holds its lines. */
async function unlessFull(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (cause) {
    if (durableErrorFrom(cause, 'write', '').code !== 'NO_SPACE') throw cause;
  }
}
