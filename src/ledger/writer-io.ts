import { join } from 'node:path';
import type { Checkpoint } from '../core/checkpoint.ts';
import type { HashFunction } from '../core/digest.ts';
import { isSameKey, type PrivateKey, type PublicKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { acquireLock } from '../durable/lock-io.ts';
import { type Appended, Committer, type CommitterParts } from './committer-io.ts';
import { Composer, hostActor, type NewEntry, type Surroundings } from './composer.ts';
import { EntriesWriter } from './entries-writer-io.ts';
import { currentEpoch, type Epochs } from './epochs.ts';
import { requireEpochs, unfinishedRotation, writeEpochs } from './epochs-io.ts';
import { LedgerError } from './errors.ts';
import { HISTORY_ENTRIES, HISTORY_SECONDS, LOCK_FILE, LOG_RECOVERY, LOG_ROTATE } from './format.ts';
import type { Genesis } from './genesis.ts';
import { createHashFunction } from './hashing.ts';
import type { Heads, SignedHead } from './heads.ts';
import { HeadsWriter, type HistoryPace, HistoryWriter } from './heads-writer-io.ts';
import { type OpenLedgerFile, openLedgerFile } from './ledger-file-io.ts';
import { readGenesis, requireHeads } from './open-io.ts';
import { Quota } from './quota.ts';
import { recoverLedger } from './recovery-io.ts';
import type { MayAdopt, Scan } from './recovery-scan-io.ts';
import { entriesBytes } from './scan-io.ts';
import { TreeWriter } from './tree-files-io.ts';

export type WriterOptions = Surroundings & {
  readonly directory: string;
  /** The log's own key, as in its genesis. */
  readonly key: PrivateKey;
  /** Checkpoints of this log known from elsewhere, already verified: what they cover must still be there. */
  readonly anchors?: readonly Checkpoint[];
  /**
   * Whether a line that a crash left beyond the newest head may be one of ours. Without it every line that attaches is
   * taken in, and `log.recovery` says how many: for a log whose lines act by themselves that is not enough.
   */
  readonly mayAdopt?: MayAdopt;
  /** When heads also go to the history; default every 1,024 entries or 3,600 seconds. */
  readonly history?: HistoryPace;
  /**
   * Bytes of lines that the log may have: at that, entries are refused (NO_SPACE), but for what the log and its collector
   * say about themselves. Without it, only the disk bounds it.
   */
  readonly quota?: number;
  /** How files are written; replaced only to make disks fail in tests. */
  readonly openFile?: OpenLedgerFile;
};

export type LedgerWriter = AsyncDisposable & {
  readonly genesis: Genesis;
  /** Entries that are durable. */
  readonly size: number;
  /**
   * Appends an entry; resolves when it is durable. Entries get their order from the order of calls; those that wait
   * together share one fdatasync.
   * @throws LedgerError LINE_MALFORMED or LINE_TOO_LONG (about the entry; nothing is written), LEDGER_BUSY (16 MiB of
   *   lines wait already: not taken, see {@link ready}), LEDGER_STOPPED (the disk failed: open the log anew),
   *   LEDGER_CLOSED; DurableError NO_SPACE and others (not written: try again later)
   */
  append(entry: NewEntry): Promise<Appended>;
  /**
   * Back-pressure: resolves when less than 8 MiB of lines wait for the disk. Who appends without awaiting each entry
   * awaits this between them.
   * @throws LedgerError LEDGER_STOPPED or LEDGER_CLOSED
   */
  ready(): Promise<void>;
  /**
   * A signed head that covers every entry acknowledged before the call.
   * @throws LedgerError LEDGER_STOPPED or LEDGER_CLOSED
   */
  head(): Promise<SignedHead>;
  /** Finishes what was appended and lets go of the lock. Closing twice is fine. */
  close(): Promise<void>;
};

/** What a part of the program gets that may only add to a log: nothing of the log can be read through it. */
export type LedgerAppender = Pick<LedgerWriter, 'append' | 'ready' | 'head' | 'close'>;

/** A handle that appends and does nothing else; whoever holds it can't get at the writer behind it. */
export function appendOnly(writer: LedgerWriter): LedgerAppender {
  return Object.freeze({
    append: (entry: NewEntry) => writer.append(entry),
    ready: () => writer.ready(),
    head: () => writer.head(),
    close: () => writer.close(),
  });
}

/**
 * Opens a log for appending: takes its lock, checks it against its signed head, and recovers from a crash, which it
 * records in a `log.recovery` entry.
 * @throws LedgerError LEDGER_NOT_FOUND, GENESIS_MALFORMED, GENESIS_SIGNATURE, WRONG_KEY, TAMPERED or HASH_UNAVAILABLE;
 *   DurableError LOCKED if another writer has it, and others
 */
export async function openLedgerWriter(options: WriterOptions): Promise<LedgerWriter> {
  await using opened = new AsyncDisposableStack();
  const { parts, committer } = await openCommitter(options, opened);
  return new Writer(parts.genesis, committer, opened.move());
}

/**
 * All that a writer consists of, recovered and ready.
 * @param opened takes what must be closed, the lock first
 * @throws as {@link openLedgerWriter}
 */
export async function openCommitter(
  options: WriterOptions,
  opened: AsyncDisposableStack,
): Promise<{ readonly parts: CommitterParts; readonly committer: Committer; readonly epochs: Epochs }> {
  const { directory, key, openFile = openLedgerFile } = options;
  const genesis = readGenesis(directory);
  const hash = await createHashFunction(genesis.hash);
  assertKey(currentEpochs(directory, genesis, hash).epochs, options);
  opened.use(acquireLock(join(directory, LOCK_FILE)));
  const { epochs, isFinished } = currentEpochs(directory, genesis, hash);
  // Again, now that nobody else can rotate it; and what a crash left of a rotation is finished by its new key only.
  assertKey(epochs, options);
  if (!isFinished) writeEpochs(directory, epochs);
  const heads = requireHeads(directory, genesis);
  const mayAdopt: MayAdopt = (line) =>
    line.type === LOG_ROTATE ? epochs.some(({ start }) => start === line.seq) : options.mayAdopt?.(line) !== false;
  const scanOptions = { directory, genesis, hash, heads, anchors: options.anchors ?? [], mayAdopt };
  const { scan, record } = await recoverLedger(scanOptions, openFile);
  const { end, last, frontier } = scan;
  const composer = new Composer(genesis, hash, options, { end, last });
  const files = await openFiles(options, openFile, scan, heads, opened);
  const { clock } = options;
  const shared = { genesis, key, clock, composer, frontier, head: heads.newest, directory, ...files };
  const quota = options.quota === undefined ? {} : { quota: openQuota(options.quota, options, genesis) };
  const parts = { ...shared, ...quota };
  const committer = new Committer(parts);
  if (record !== undefined) {
    await committer.append({ type: LOG_RECOVERY, actor: hostActor(genesis), data: record });
    await committer.head();
  }
  return { parts, committer, epochs };
}

function openQuota(bytes: number, { directory, clock }: WriterOptions, genesis: Genesis): Quota {
  return new Quota(genesis, bytes, entriesBytes(directory), () => clock.now());
}

function currentEpochs(directory: string, genesis: Genesis, hash: HashFunction) {
  const known = requireEpochs(directory, genesis);
  const { newest } = requireHeads(directory, genesis);
  const epochs = unfinishedRotation(directory, genesis, known, newest, hash);
  return { epochs, isFinished: epochs === known };
}

/**
 * The key that the next writer of a log needs: also where a crash left the change to it unfinished, which that writer
 * then finishes.
 * @throws as `openLedgerReader`
 */
export async function keyOfNextWriter(directory: string): Promise<PublicKey> {
  const genesis = readGenesis(directory);
  const { epochs } = currentEpochs(directory, genesis, await createHashFunction(genesis.hash));
  return currentEpoch(epochs).key;
}

function assertKey(epochs: Epochs, { directory, key }: WriterOptions): void {
  const { key: current } = currentEpoch(epochs);
  if (isSameKey(current, key.publicKey)) return;
  const where = escapeForTerminal(directory);
  const whose = epochs.length === 1 ? 'its genesis names' : `it was last rotated to, ${current.keyid}`;
  throw new LedgerError('WRONG_KEY', `the log in ${where} has another key; give the one that ${whose}`, {
    fault: 'refused',
  });
}

async function openFiles(
  { directory, history, clock }: WriterOptions,
  openFile: OpenLedgerFile,
  { tail }: Scan,
  { newest }: Heads,
  opened: AsyncDisposableStack,
) {
  const pace = history ?? { entries: HISTORY_ENTRIES, seconds: HISTORY_SECONDS };
  const entries = opened.adopt(new EntriesWriter(directory, openFile), (writer) => writer.close());
  await entries.resume(tail.firstSeq, tail.offset);
  const tree = opened.adopt(new TreeWriter(directory, openFile), (writer) => writer.close());
  const heads = opened.adopt(await HeadsWriter.open(directory, newest.slot, openFile), (writer) => writer.close());
  const kept = opened.adopt(await HistoryWriter.open(directory, openFile, pace, clock.mono()), (writer) =>
    writer.close(),
  );
  return { entries, tree, heads, history: kept };
}

class Writer implements LedgerWriter {
  readonly genesis: Genesis;
  readonly #committer: Committer;
  readonly #opened: AsyncDisposableStack;
  #closing: Promise<void> | undefined;

  constructor(genesis: Genesis, committer: Committer, opened: AsyncDisposableStack) {
    this.genesis = genesis;
    this.#committer = committer;
    this.#opened = opened;
  }

  get size(): number {
    return this.#committer.size;
  }

  append(entry: NewEntry): Promise<Appended> {
    if (this.#closing !== undefined) return Promise.reject(closed());
    // A rotation without its documents would be a line that nobody can follow.
    if (entry.type === LOG_ROTATE) return Promise.reject(notByHand());
    return this.#committer.append(entry);
  }

  async ready(): Promise<void> {
    this.#assertOpen();
    await this.#committer.ready();
  }

  async head(): Promise<SignedHead> {
    this.#assertOpen();
    return await this.#committer.head();
  }

  async close(): Promise<void> {
    this.#closing ??= this.#finish();
    await this.#closing;
  }

  async #finish(): Promise<void> {
    await this.#committer.settled();
    await this.#opened.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }
}

function closed(): LedgerError {
  return new LedgerError('LEDGER_CLOSED', 'this log was closed; open it anew');
}

function notByHand(): LedgerError {
  return new LedgerError('LINE_MALFORMED', 'a log.rotate entry is written by a rotation (ledger rotate), not appended');
}
