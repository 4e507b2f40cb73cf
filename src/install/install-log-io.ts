import { existsSync, readFileSync } from 'node:fs';
import { type Checkpoint, verifyCheckpoint } from '../core/checkpoint.ts';
import { CoreError, DaemonEyeError, messageOf } from '../core/errors.ts';
import type { PrivateKey } from '../core/keys.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import type { Surroundings } from '../ledger/composer.ts';
import { type Epochs, isKeyOfLog, keyOfLine } from '../ledger/epochs.ts';
import { requireEpochs } from '../ledger/epochs-io.ts';
import { type SignedHead, verifyHead } from '../ledger/heads.ts';
import type { Line } from '../ledger/line.ts';
import { verifyLineSignature } from '../ledger/line-signature.ts';
import { readGenesis } from '../ledger/open-io.ts';
import { type LedgerWriter, openLedgerWriter, type WriterOptions } from '../ledger/writer-io.ts';
import { type InstallError, tampered } from './errors.ts';
import { INSTALL_LOG_HASH } from './host-io.ts';
import { loadLogPublicKey } from './host-keys-io.ts';
import { type DataLayout, INSTALL_LOG } from './layout.ts';
import { isInstallEvent } from './state.ts';

/** What is special about the log that is this host's state: who opens it for writing opens it so. */
export type InstallLogGuards = Required<Pick<WriterOptions, 'anchors' | 'mayAdopt'>>;

/** @throws InstallError STATE_TAMPERED; LedgerError TAMPERED and others; DurableError LOCKED and others */
export async function openInstallLog(
  layout: DataLayout,
  key: PrivateKey,
  surroundings: Surroundings,
): Promise<LedgerWriter> {
  const guards = installLogGuards(layout);
  return await asOwnState(layout, () =>
    openLedgerWriter({ directory: layout.installLog, key, ...guards, ...surroundings }),
  );
}

/** @throws InstallError STATE_TAMPERED; LedgerError TAMPERED; DurableError */
export function installLogGuards(layout: DataLayout): InstallLogGuards {
  const anchors = readAnchor(layout);
  let ours: ((line: Line) => boolean) | undefined;
  // Asked for lines beyond the head alone, and then under the log's lock.
  const mayAdopt = (line: Line) => {
    ours ??= isOurs(requireEpochs(layout.installLog, readGenesis(layout.installLog)));
    return ours(line);
  };
  return { anchors, mayAdopt };
}

const DAMAGE = ['NOT_FOUND', 'WRONG_KEY'];

/**
 * A log that nobody wrote like this, or with another key, is a stranger's when it comes from elsewhere; here it is our
 * own, damaged.
 * @throws InstallError STATE_TAMPERED; else what `work` throws
 */
export async function asOwnState<T>(layout: DataLayout, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const isDamaged =
      cause instanceof DaemonEyeError && (cause.fault === 'untrusted' || DAMAGE.includes(String(cause.code)));
    throw isDamaged ? notAsWritten(layout, messageOf(cause), cause) : cause;
  }
}

export function notAsWritten({ installLog }: DataLayout, problem: string, cause?: unknown): InstallError {
  return tampered(`the install log ${installLog} is not what was written: ${problem}`, { cause });
}

/**
 * Here a line acts by itself: `bundle.applied` *is* the commit. So each that changes the state is signed by the key that
 * the log had at that line; otherwise whoever can write the log's files, and nothing else, could attach one that a crash
 * seems to have left.
 */
export function isOurs(epochs: Epochs): (line: Line) => boolean {
  return (line) => !isInstallEvent(line.type) || verifyLineSignature(line, keyOfLine(epochs, line.seq));
}

/** Puts the newest checkpoint of the install log aside. @throws DurableError */
export function storeAnchor(layout: DataLayout, { note }: SignedHead): void {
  writeFileDurably(layout.anchor, note, { mode: 0o644 });
}

/**
 * The newest checkpoint of the install log that was put aside.
 * @throws InstallError STATE_TAMPERED when it is gone or isn't one; DurableError
 */
export function readAnchor(layout: DataLayout): readonly Checkpoint[] {
  if (!existsSync(layout.anchor)) {
    throw tampered(`${layout.anchor} is gone, which would show whether the log was cut back; restore it from a backup`);
  }
  let note: Uint8Array;
  try {
    note = new Uint8Array(readFileSync(layout.anchor));
  } catch (cause) {
    throw durableErrorFrom(cause, 'read', layout.anchor);
  }
  try {
    return [verifyAnchor(layout, note)];
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError) || cause.fault === 'tampered') throw cause;
    throw tampered(`${layout.anchor} is not a checkpoint of this host: ${cause.message}`, { cause });
  }
}

/**
 * Signed by the key that is known here, or by another of the log's keys for what was its to sign: between a change of
 * the key and the next entry the anchor is still of the old one, and after a crash it can be of the new one first.
 */
function verifyAnchor(layout: DataLayout, note: Uint8Array): Checkpoint {
  const key = loadLogPublicKey(layout, INSTALL_LOG);
  try {
    return verifyCheckpoint(note, { key, hash: INSTALL_LOG_HASH });
  } catch (cause) {
    if (!(cause instanceof CoreError) || cause.code !== 'NOTE_SIGNATURE') throw cause;
    const genesis = readGenesis(layout.installLog);
    const epochs = requireEpochs(layout.installLog, genesis);
    // A log that somebody put there in place of ours has other keys.
    if (!isKeyOfLog(epochs, key)) throw cause;
    return verifyHead(note, genesis, epochs);
  }
}
