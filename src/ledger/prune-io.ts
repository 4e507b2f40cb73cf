import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, formatDigest } from '../core/digest.ts';
import type { EventData } from '../core/event-data.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { syncDirectory } from '../durable/files-io.ts';
import { hostActor } from './composer.ts';
import { LedgerError } from './errors.ts';
import { ENTRIES_DIRECTORY, entriesFileName, LOG_PRUNE, TREE_DIRECTORY } from './format.ts';
import { assertNotHeld, type Releases } from './holds-io.ts';
import { openLedgerFile } from './ledger-file-io.ts';
import { parseLine } from './line.ts';
import { assertOrderOf, type Order, type PruneOrder } from './orders.ts';
import { openLedgerReader } from './reader-io.ts';
import { listEntries } from './scan-io.ts';
import { openLedgerWriter, type WriterOptions } from './writer-io.ts';

export type PruneOptions = WriterOptions & {
  /** Already verified by the caller: signed by operators who may, under the trust root. */
  readonly approval: Order<PruneOrder>;
  /** Lines younger than this stay, whoever approved. Milliseconds. */
  readonly minimumAge: number;
  /** Who may have ended a legal hold; without it nobody, so all there ever were still hold. */
  readonly releases?: Releases;
  /** For a log that has sealed values. */
  readonly dropSealed?: DropSealed;
};

/** Takes the sealed values of dropped lines out of their store, durably when it resolves. */
export type DropSealed = (before: number, dropped: (from: number) => AsyncIterable<Digest>) => Promise<void>;

export type Pruned = {
  /** The first line that is there now. */
  readonly first: number;
  /** Lines dropped by this call. */
  readonly dropped: number;
};

/**
 * Drops old lines of a log that nobody has open, whole files from the front, and keeps the tree: every proof of what
 * remains still works, and verification says how much is gone. A `log.prune` entry with the approval comes first and is
 * covered by a signed head before anything is removed; sealed values go before the lines that commit to them. Killed anywhere, the log verifies; the same call again finishes.
 * @throws LedgerError LOG_HELD (a legal hold, which wins over any approval); ORDER_ELSEWHERE (another log); PRUNE_REFUSED
 *   (other lines than were approved, too young, or not whole files); else as `openLedgerWriter`; DurableError
 */
export async function pruneLedger(options: PruneOptions): Promise<Pruned> {
  const { directory, approval } = options;
  await using writer = await openLedgerWriter(options);
  const { isRecorded, first } = await judge(options);
  if (!isRecorded) {
    const { to, reason } = approval.order;
    const { document } = approval;
    const data: EventData['log.prune'] = { from: first, to, keeps: 'tree', document, reason };
    await writer.append({ type: LOG_PRUNE, actor: hostActor(writer.genesis), data });
  }
  await writer.head();
  await syncTree(directory);
  await options.dropSealed?.(approval.order.to, (from) => commitmentsIn(directory, from, approval.order.to));
  const files = listEntries(directory).firstSeqs.filter((firstSeq) => firstSeq < approval.order.to);
  // Oldest first, each durably: whatever stops this, what is gone is one stretch at the beginning.
  for (const firstSeq of files) remove(join(directory, ENTRIES_DIRECTORY, entriesFileName(firstSeq)));
  return { first: Math.max(first, approval.order.to), dropped: Math.max(0, approval.order.to - first) };
}

const COMMITMENT = /_commit$/;

/** The commitments to sealed values in the lines from `from` to before `to`, as far as they are still here. */
async function* commitmentsIn(directory: string, from: number, to: number): AsyncGenerator<Digest, void, undefined> {
  using reader = await openLedgerReader(directory);
  const start = Math.max(from, reader.first);
  if (start >= to) return;
  for await (const bytes of reader.lines(start, to)) {
    if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('_commit":"')) continue;
    for (const [field, value] of Object.entries(parseLine(bytes).data)) {
      if (COMMITMENT.test(field) && typeof value === 'string') yield value as Digest;
    }
  }
}

function remove(path: string): void {
  try {
    rmSync(path);
  } catch (cause) {
    throw durableErrorFrom(cause, 'remove', path);
  }
  syncDirectory(join(path, '..'));
}

async function judge({ directory, approval, clock, minimumAge, releases }: PruneOptions) {
  using reader = await openLedgerReader(directory);
  const { genesis, first, size } = reader;
  const { order } = approval;
  // Under the lock: whoever puts a hold there while we wait has put it there in time.
  await assertNotHeld(directory, reader, { from: first, to: order.to }, releases);
  assertOrderOf(genesis, order);
  if (order.to % genesis.limits.rotate !== 0 || order.to >= size) {
    throw refused(
      `lines are dropped by files of ${genesis.limits.rotate}, up to before the newest: not up to ${order.to}`,
    );
  }
  if (order.root !== formatDigest(genesis.hash, await reader.rootAt(order.to))) {
    throw refused(`the first ${order.to} lines are not the ones whose root was approved`);
  }
  if (order.to > first) {
    const { ts } = parseLine(await reader.line(order.to - 1));
    if (clock.now() - ts < minimumAge) {
      throw refused(`line ${order.to - 1} is younger than ${Math.round(minimumAge / 86_400_000)} days`);
    }
  }
  let isRecorded = order.to <= first;
  for await (const bytes of reader.lines(Math.max(first, order.to))) {
    const line = Buffer.from(bytes).includes(`"type":"${LOG_PRUNE}"`) ? parseLine(bytes) : undefined;
    isRecorded ||= line?.type === LOG_PRUNE && line.data['to'] === order.to;
  }
  return { isRecorded, first };
}

/** What is left of the dropped lines must survive a power cut before they go. */
async function syncTree(directory: string): Promise<void> {
  const path = join(directory, TREE_DIRECTORY);
  for (const name of readdirSync(path)) {
    const file = await openLedgerFile(join(path, name));
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  syncDirectory(path);
}

function refused(problem: string): LedgerError {
  return new LedgerError('PRUNE_REFUSED', `nothing was dropped: ${problem}`, { fault: 'refused' });
}
