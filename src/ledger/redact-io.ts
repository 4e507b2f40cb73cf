import type { Digest } from '../core/digest.ts';
import type { EventData } from '../core/event-data.ts';
import { hostActor } from './composer.ts';
import { LedgerError } from './errors.ts';
import { LOG_REDACT } from './format.ts';
import { assertNotHeld, type Releases } from './holds-io.ts';
import { parseLine } from './line.ts';
import { assertOrderOf, type Order, type RedactionOrder } from './orders.ts';
import { type LedgerReader, openLedgerReader } from './reader-io.ts';
import { openLedgerWriter, type WriterOptions } from './writer-io.ts';

/** Where sealed values lie. */
export type SealedStore = {
  /** Whether what is there could still be opened by a recipient. */
  readonly has: (commit: Digest) => boolean;
  /** Durably, when it returns. */
  readonly destroy: (commit: Digest) => void;
};

export type RedactOptions = WriterOptions & {
  /** Already verified by the caller: signed by an operator who may, under the trust root. */
  readonly approval: Order<RedactionOrder> & { readonly operator: string };
  readonly store: SealedStore;
  /** Who may have ended a legal hold; without it nobody, so all there ever were still hold. */
  readonly releases?: Releases;
};

export type Redacted = {
  /** Of the `log.redact` entry. */
  readonly entry: number;
  /** False when it was written by an earlier call. */
  readonly changed: boolean;
};

/**
 * Destroys the sealed value that a line of a log commits to. The line stays, and with it every proof. An entry
 * `log.redact` with the order comes first and is covered by a signed head before anything goes: a value that is gone
 * without one was lost or stolen. Killed in between, the same call again finishes. Copies elsewhere are beyond reach.
 * @throws LedgerError LOG_HELD (a legal hold), ORDER_ELSEWHERE, LINE_PRUNED, REDACTION_REFUSED (the line has another
 *   commitment, or no value of it is in the store, so that an entry would claim what was not done); else as
 *   `openLedgerWriter`; DurableError
 */
export async function redactSealed(options: RedactOptions): Promise<Redacted> {
  const { directory, approval, store } = options;
  await using writer = await openLedgerWriter(options);
  using reader = await openLedgerReader(directory);
  await judge(reader, approval.order);
  // Under the lock: whoever puts a hold there while we wait has put it there in time; and no collector is sealing.
  const { seq: line } = approval.order;
  await assertNotHeld(directory, reader, { from: line, to: line + 1 }, options.releases);
  const { seq, commit, reason } = approval.order;
  let entry = await recordedAt(reader, approval.order);
  const changed = entry === undefined;
  if (entry === undefined) {
    if (!store.has(commit)) {
      throw refused(`no sealed value of line ${seq} is here; name the directory where it lies with --sealed`);
    }
    const { document, operator } = approval;
    const data: EventData['log.redact'] = { seq, commit, reason, operator, document };
    ({ seq: entry } = await writer.append({ type: LOG_REDACT, actor: hostActor(writer.genesis), data }));
  }
  await writer.head();
  store.destroy(commit);
  return { entry, changed };
}

async function judge(reader: LedgerReader, order: RedactionOrder): Promise<void> {
  assertOrderOf(reader.genesis, order);
  const { seq, field, commit } = order;
  const { data } = parseLine(await reader.line(seq));
  if (data[`${field}_commit`] !== commit) throw refused(`line ${seq} has no ${field}_commit ${commit}`);
}

async function recordedAt(reader: LedgerReader, { seq, commit }: RedactionOrder): Promise<number | undefined> {
  for await (const bytes of reader.lines(seq)) {
    if (!Buffer.from(bytes).includes(`"type":"${LOG_REDACT}"`)) continue;
    const line = parseLine(bytes);
    if (line.type === LOG_REDACT && line.data['commit'] === commit && line.data['seq'] === seq) return line.seq;
  }
  return undefined;
}

function refused(problem: string): LedgerError {
  return new LedgerError('REDACTION_REFUSED', `nothing was redacted: ${problem}`, { fault: 'refused' });
}
