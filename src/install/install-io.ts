import { decidingCheck } from '../core/checks.ts';
import type { Digest } from '../core/digest.ts';
import { isSameKey } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import { createDirectoryDurably } from '../durable/files-io.ts';
import type { Surroundings } from '../ledger/composer.ts';
import { type Actor, parseLine } from '../ledger/line.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { verifyLedger } from '../ledger/verify-io.ts';
import { activate } from './activation-io.ts';
import { tampered } from './errors.ts';
import { assertInitialised } from './host-io.ts';
import { loadLogPublicKey } from './host-keys-io.ts';
import { isOurs, notAsWritten, openInstallLog, readAnchor, storeAnchor } from './install-log-io.ts';
import { type DataLayout, dataLayout, INSTALL_LOG } from './layout.ts';
import { loadLogKey } from './log-rotation-io.ts';
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
  return { layout, state: await readState(layout, builtAt) };
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
  const { key, writer } = await openLog(layout, surroundings);
  try {
    let state = await readState(layout, builtAt);
    createDirectoryDurably(layout.staging);
    clearStaging(layout.staging);
    activate(layout, state);
    // Entries that a crash kept from it: of the last apply, or of this recovery.
    storeAnchor(layout, await writer.head());
    return {
      layout,
      get state() {
        return state;
      },
      async append(event) {
        const { seq, leaf } = await writer.append({ ...event, actor, signer: key });
        state = foldEvent(state, event);
        activate(layout, state);
        storeAnchor(layout, await writer.head());
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

async function openLog(layout: DataLayout, surroundings: Surroundings) {
  let key = await loadLogKey(layout, INSTALL_LOG, surroundings);
  for (;;) {
    try {
      return { key, writer: await openInstallLog(layout, key, surroundings) };
    } catch (cause) {
      // Another command may have changed it since we read it.
      const now = await loadLogKey(layout, INSTALL_LOG, surroundings);
      if (isSameKey(now.publicKey, key.publicKey)) throw cause;
      key = now;
    }
  }
}

async function readState(layout: DataLayout, builtAt: Time): Promise<InstallState> {
  const report = await verifyLedger(layout.installLog, {
    key: loadLogPublicKey(layout, INSTALL_LOG),
    anchors: readAnchor(layout),
  });
  if (report.verdict !== 'trusted') throw notAsWritten(layout, decidingCheck(report)?.reason ?? 'it is not trusted');
  let state = initialState(builtAt);
  using reader = await openLedgerReader(layout.installLog);
  const ours = isOurs(reader.epochs);
  for await (const bytes of reader.lines()) {
    const line = parseLine(bytes);
    if (!ours(line)) throw tampered(`line ${line.seq} of ${layout.installLog} is not signed by this host`);
    state = foldEvent(state, line);
  }
  return state;
}
