import { existsSync, readFileSync } from 'node:fs';
import { type Checkpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { decidingCheck } from '../core/checks.ts';
import type { Digest } from '../core/digest.ts';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import type { PrivateKey, PublicKey } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import type { Surroundings } from '../ledger/composer.ts';
import type { Actor } from '../ledger/line.ts';
import { type Line, parseLine } from '../ledger/line.ts';
import { verifyLineSignature } from '../ledger/line-signature.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { verifyLedger } from '../ledger/verify-io.ts';
import { type LedgerWriter, openLedgerWriter } from '../ledger/writer-io.ts';
import { activate } from './activation-io.ts';
import { tampered } from './errors.ts';
import { assertInitialised, INSTALL_LOG_HASH, loadHostKey, loadHostPublicKey } from './host-io.ts';
import { type DataLayout, dataLayout } from './layout.ts';
import { clearStaging } from './staging-io.ts';
import { foldEvent, type InstallEvent, type InstallState, initialState, isInstallEvent } from './state.ts';

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
  /** This host, as its logs name it. */
  readonly host: string;
  readonly random: Surroundings['random'];
  /** The signed note of the log's head, over every entry so far. */
  checkpoint(): Promise<Uint8Array>;
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
  const writer = await openLog(layout, key, surroundings);
  try {
    let state = await readState(layout, key.publicKey, builtAt);
    createDirectoryDurably(layout.staging);
    clearStaging(layout.staging);
    activate(layout, state);
    // Entries that a crash kept from it: of the last apply, or of this recovery.
    await storeAnchor(layout, writer);
    return {
      layout,
      get state() {
        return state;
      },
      async append(event) {
        const { seq, leaf } = await writer.append({ ...event, actor, signer: key });
        state = foldEvent(state, event);
        activate(layout, state);
        await storeAnchor(layout, writer);
        return { seq, leaf };
      },
      host: writer.genesis.host,
      random: surroundings.random,
      checkpoint: async () => (await writer.head()).note,
      [Symbol.asyncDispose]: () => writer.close(),
    };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

async function openLog(layout: DataLayout, key: PrivateKey, surroundings: Surroundings): Promise<LedgerWriter> {
  const anchors = readAnchor(layout, key.publicKey);
  try {
    const mayAdopt = isOurs(key.publicKey);
    return await openLedgerWriter({ directory: layout.installLog, key, anchors, mayAdopt, ...surroundings });
  } catch (cause) {
    // A log that nobody wrote like this is a stranger's when it comes from elsewhere; here it is our own, damaged.
    const damaged = cause instanceof DaemonEyeError && (cause.fault === 'untrusted' || cause.code === 'NOT_FOUND');
    if (!damaged) throw cause;
    throw tampered(`the install log ${layout.installLog} is not what was written: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Here a line acts by itself: `bundle.applied` *is* the commit. So each that changes the state is signed by the log's
 * key; otherwise whoever can write the log's files, and nothing else, could attach one that a crash seems to have left.
 */
function isOurs(key: PublicKey): (line: Line) => boolean {
  return (line) => !isInstallEvent(line.type) || verifyLineSignature(line, key);
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
  const ours = isOurs(key);
  for await (const bytes of reader.lines()) {
    const line = parseLine(bytes);
    if (!ours(line)) throw tampered(`line ${line.seq} of ${layout.installLog} is not signed by this host`);
    state = foldEvent(state, line);
  }
  return state;
}

async function storeAnchor(layout: DataLayout, writer: LedgerWriter): Promise<void> {
  writeFileDurably(layout.anchor, (await writer.head()).note, { mode: 0o644 });
}

/**
 * The newest checkpoint of the install log that was put aside.
 * @throws InstallError STATE_TAMPERED when it is gone or isn't one; DurableError
 */
export function readAnchor(layout: DataLayout, key: PublicKey): readonly Checkpoint[] {
  if (!existsSync(layout.anchor)) {
    throw tampered(`${layout.anchor} is gone, which would show whether the log was cut back; restore it from a backup`);
  }
  try {
    return [verifyCheckpoint(new Uint8Array(readFileSync(layout.anchor)), { key, hash: INSTALL_LOG_HASH })];
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError)) throw durableErrorFrom(cause, 'read', layout.anchor);
    throw tampered(`${layout.anchor} is not a checkpoint of this host: ${cause.message}`, { cause });
  }
}
