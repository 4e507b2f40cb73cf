import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Envelope } from '../core/dsse.ts';
import { parseEmbeddedEnvelope } from '../core/embedded-envelope.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { validateEvent } from '../core/event.ts';
import type { EventData } from '../core/event-data.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { hostActor } from './composer.ts';
import { LedgerError } from './errors.ts';
import { HOLDS_DIRECTORY, LOG_HOLD, LOG_RELEASE } from './format.ts';
import type { Genesis } from './genesis.ts';
import { type Line, parseLine } from './line.ts';
import { assertOrderOf, type HoldOrder, type Order, type ReleaseOrder } from './orders.ts';
import { type LedgerReader, openLedgerReader } from './reader-io.ts';
import { openLedgerWriter, type WriterOptions } from './writer-io.ts';

/** Lines from `from` up to before `to`. */
export type Lines = { readonly from: number; readonly to: number };

/** The order to end a hold in an envelope, as it stands in the log, if it is by somebody who may. @throws our errors */
export type Releases = (document: Envelope) => Order<ReleaseOrder>;

/** A hold that is in force. */
export type Hold = { readonly seq: number; readonly from: number; readonly to?: number; readonly reason: string };

type Approved<T extends HoldOrder | ReleaseOrder> = Order<T> & { readonly operator: string };

/**
 * Puts lines under a legal hold, by an entry of the log.
 * @param approval already verified by the caller
 * @returns the seq of the entry, by which it is ended
 * @throws LedgerError ORDER_ELSEWHERE; HOLD_REFUSED for lines that are no longer here, or not yet; as `openLedgerWriter`
 */
export async function holdLines(options: WriterOptions & { readonly approval: Approved<HoldOrder> }): Promise<number> {
  const { approval, directory } = options;
  await using writer = await openLedgerWriter(options);
  using reader = await openLedgerReader(directory);
  const { order, operator, document } = approval;
  assertOrderOf(reader.genesis, order);
  const { from, to, reason } = order;
  if (from < reader.first || from > writer.size || (to !== undefined && (to <= from || to > writer.size))) {
    throw refused(`the log has lines ${reader.first} to before ${writer.size}`);
  }
  const data: EventData['log.hold'] = { from, ...(to === undefined ? {} : { to }), reason, operator, document };
  const { seq } = await writer.append({ type: LOG_HOLD, actor: hostActor(writer.genesis), data });
  await writer.head();
  return seq;
}

/**
 * Ends a legal hold, by an entry of the log.
 * @throws LedgerError ORDER_ELSEWHERE; HOLD_REFUSED where no such hold is in force; as `openLedgerWriter`
 */
export async function releaseHold(
  options: WriterOptions & { readonly approval: Approved<ReleaseOrder>; readonly releases: Releases },
): Promise<number> {
  const { approval, directory, releases } = options;
  await using writer = await openLedgerWriter(options);
  using reader = await openLedgerReader(directory);
  const { order, operator, document } = approval;
  assertOrderOf(reader.genesis, order);
  const { hold, reason } = order;
  const inForce = await holdsInForce(reader, releases);
  if (!inForce.some(({ seq }) => seq === hold)) throw refused(`no hold of entry ${hold} is in force`);
  const data: EventData['log.release'] = { hold, reason, operator, document };
  const { seq } = await writer.append({ type: LOG_RELEASE, actor: hostActor(writer.genesis), data });
  await writer.head();
  return seq;
}

/**
 * Nothing that a legal hold covers may be destroyed: by a file in holds/, put there by hand, or by an entry of the log.
 * An entry holds whoever wrote it; one that ends a hold counts only by somebody who may. Call with the log's lock held.
 * @throws LedgerError LOG_HELD; DurableError when that can't be told
 */
export async function assertNotHeld(
  directory: string,
  reader: LedgerReader,
  { from, to }: Lines,
  releases: Releases | undefined,
): Promise<void> {
  assertNoHoldFile(directory);
  for (const hold of await holdsInForce(reader, releases)) {
    if (hold.from >= to || (hold.to ?? Number.POSITIVE_INFINITY) <= from) continue;
    const message = `entry ${hold.seq} holds lines from ${hold.from} (${escapeForTerminal(hold.reason)}): nothing of them may be destroyed`;
    throw new LedgerError('LOG_HELD', message, { fault: 'refused' });
  }
}

/** By the entries that are there: one that holds lines stands after them, so it can't be dropped before they are. */
async function holdsInForce(reader: LedgerReader, releases: Releases | undefined): Promise<Hold[]> {
  const holds = new Map<number, Hold>();
  for await (const bytes of reader.lines()) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (!text.includes(`"type":"${LOG_HOLD}"`) && !text.includes(`"type":"${LOG_RELEASE}"`)) continue;
    const line = parseLine(bytes);
    if (line.type === LOG_HOLD) holds.set(line.seq, holdOf(line));
    if (line.type === LOG_RELEASE) holds.delete(releasedBy(line, reader.genesis, releases) ?? -1);
  }
  return [...holds.values()];
}

/** Even one that can't be read holds: everything. */
function holdOf({ seq, data }: Line): Hold {
  try {
    const { from, to, reason } = validateEvent(LOG_HOLD, data);
    return { seq, from, reason, ...(to === undefined ? {} : { to }) };
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw cause;
    return { seq, from: 0, reason: 'it can not be read' };
  }
}

/** By what was signed, for this log; the line around it says nothing. */
function releasedBy({ data }: Line, genesis: Genesis, releases: Releases | undefined): number | undefined {
  try {
    const { document } = validateEvent(LOG_RELEASE, data);
    const order = releases?.(parseEmbeddedEnvelope(document)).order;
    if (order === undefined) return undefined;
    assertOrderOf(genesis, order);
    return order.hold;
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw cause;
    return undefined;
  }
}

function assertNoHoldFile(directory: string): void {
  const path = join(directory, HOLDS_DIRECTORY);
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return;
    throw durableErrorFrom(cause, 'list', path);
  }
  if (names.length === 0) return;
  const name = escapeForTerminal(names.sort()[0] ?? '');
  const message = `${escapeForTerminal(path)} holds ${name}: a legal hold, nothing may be destroyed`;
  throw new LedgerError('LOG_HELD', message, { fault: 'refused' });
}

function refused(problem: string): LedgerError {
  return new LedgerError('HOLD_REFUSED', `no hold was changed: ${problem}`, { fault: 'refused' });
}
