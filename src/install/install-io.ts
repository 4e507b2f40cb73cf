import { existsSync, readFileSync } from 'node:fs';
import { type Checkpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { decidingCheck } from '../core/checks.ts';
import type { Digest } from '../core/digest.ts';
import type { PublicKey } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import type { Surroundings } from '../ledger/composer.ts';
import type { Actor } from '../ledger/line.ts';
import { parseLine } from '../ledger/line.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { verifyLedger } from '../ledger/verify-io.ts';
import { openLedgerWriter } from '../ledger/writer-io.ts';
import { activate } from './activation-io.ts';
import { tampered } from './errors.ts';
import { assertInitialised, INSTALL_LOG_HASH, loadHostKey, loadHostPublicKey } from './host-io.ts';
import { type DataLayout, dataLayout } from './layout.ts';
import { clearStaging } from './staging-io.ts';
import { foldEvent, type InstallEvent, type InstallState, initialState } from './state.ts';

export type LoggedEntry = { readonly seq: number; readonly leaf: Digest };

/** The receiving side, held by one process at a time. */
export type WritableInstall = AsyncDisposable & {
  readonly layout: DataLayout;
  /** As of the last entry. */
  readonly state: InstallState;
  /**
   * Logs an event durably, folds it into the state and brings the links into line with it.
   * @throws LedgerError or DurableError: then nothing happened that the log doesn't say
   */
  append(event: InstallEvent): Promise<LoggedEntry>;
};

/**
 * The state of a data directory, read without a lock; works on read-only media.
 * @param builtAt build time of the program
 * @throws InstallError NOT_INITIALISED or STATE_TAMPERED; LedgerError; DurableError
 */
export async function readInstall(
  data: string,
  builtAt: Time,
): Promise<{ readonly layout: DataLayout; readonly state: InstallState }> {
  const layout = dataLayout(data);
  assertInitialised(layout);
  return { layout, state: await readState(layout, loadHostPublicKey(layout), builtAt) };
}

/**
 * Opens a data directory for changing it: takes the lock of the install log, mends what a crash left between the log
 * and its consequences, and verifies the log from its first line.
 * @throws InstallError NOT_INITIALISED or STATE_TAMPERED; LedgerError; DurableError LOCKED and others
 */
export async function openInstall(
  data: string,
  builtAt: Time,
  surroundings: Surroundings,
  actor: Actor,
): Promise<WritableInstall> {
  const layout = dataLayout(data);
  assertInitialised(layout);
  const key = loadHostKey(layout);
  const writer = await openLedgerWriter({
    directory: layout.installLog,
    key,
    anchors: readAnchor(layout, key.publicKey),
    ...surroundings,
  });
  try {
    let state = await readState(layout, key.publicKey, builtAt);
    createDirectoryDurably(layout.staging);
    clearStaging(layout.staging);
    activate(layout, state);
    return {
      layout,
      get state() {
        return state;
      },
      async append(event) {
        const { seq, leaf } = await writer.append({ ...event, actor });
        state = foldEvent(state, event);
        activate(layout, state);
        writeFileDurably(layout.anchor, (await writer.head()).note, { mode: 0o644 });
        return { seq, leaf };
      },
      [Symbol.asyncDispose]: () => writer.close(),
    };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

async function readState(layout: DataLayout, key: PublicKey, builtAt: Time): Promise<InstallState> {
  const anchors = readAnchor(layout, key);
  const report = await verifyLedger(layout.installLog, { key, anchors });
  if (report.verdict !== 'trusted') {
    const check = decidingCheck(report);
    throw tampered(`the install log ${layout.installLog} is not what was written: ${check?.reason}`);
  }
  let state = initialState(builtAt);
  using reader = await openLedgerReader(layout.installLog);
  for await (const line of reader.lines()) state = foldEvent(state, parseLine(line));
  return state;
}

/** The newest checkpoint that was put aside; none exists before the first entry. */
export function readAnchor(layout: DataLayout, key: PublicKey): readonly Checkpoint[] {
  if (!existsSync(layout.anchor)) return [];
  return [verifyCheckpoint(new Uint8Array(readFileSync(layout.anchor)), { key, hash: INSTALL_LOG_HASH })];
}
