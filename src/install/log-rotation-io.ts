import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isSameKey, type PrivateKey } from '../core/keys.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import type { Time } from '../core/time.ts';
import { destroyDurably, overwriteDurably } from '../durable/destroy-io.ts';
import { DurableError } from '../durable/errors.ts';
import { renameDurably } from '../durable/files-io.ts';
import { acquireLock, type Lock } from '../durable/lock-io.ts';
import type { Surroundings } from '../ledger/composer.ts';
import { currentEpoch } from '../ledger/epochs.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { type Rotated, rotateLedger } from '../ledger/rotate-io.ts';
import { keyOfNextWriter, openLedgerWriter } from '../ledger/writer-io.ts';
import { InstallError } from './errors.ts';
import { newHostKey, readPrivateKey, storePrivateKey, storePublicKey } from './host-keys-io.ts';
import { asOwnState, installLogGuards, storeAnchor } from './install-log-io.ts';
import { type DataLayout, INSTALL_LOG, logKeyFiles } from './layout.ts';

/**
 * A change of the key of one of this host's logs, in steps that each are durable before the next:
 *
 * 1. the new private key in `<log>.next.pem`, beside the old one
 * 2. the `log.rotate` entry, and a head by the new key (`rotateLedger`)
 * 3. the new public key
 * 4. the old private key is overwritten, and the new one takes its name
 *
 * Killed anywhere, the log says which of the two keys it has, and the file of that one is there: who needs the key next
 * goes on from there (`settle`).
 */

/** @param log the name of its directory */
export type RotateHostLogOptions = {
  readonly layout: DataLayout;
  readonly log: string;
  readonly issuedAt: Time;
  readonly surroundings: Surroundings;
};

/**
 * Gives one of this host's logs a new key, made here; the old private key is destroyed. Given again after a crash, it
 * finishes what was begun.
 * @throws InstallError LOG_IN_USE (refused: somebody has it open) or STATE_TAMPERED; else as `rotateLedger`; then the
 *   log has its old key
 */
export async function rotateHostLog(options: RotateHostLogOptions): Promise<Rotated> {
  const { layout, log, issuedAt, surroundings } = options;
  const files = logKeyFiles(layout, log);
  using _lock = notInUse(layout, log, () => acquireLock(files.lock));
  const begun = await settle(layout, log, surroundings);
  if (begun !== undefined) return begun;
  const key = readPrivateKey(files.privateKey);
  const newKey = newHostKey();
  storePrivateKey(files.next, newKey);
  let rotated: Rotated;
  try {
    const directory = join(layout.logs, log);
    rotated = await asOurs(layout, log, () =>
      rotateLedger({ directory, key, newKey, issuedAt, ...guards(layout, log), ...surroundings }),
    );
  } catch (cause) {
    // Where the log has the new key in spite of it, it is done.
    const settled = await settle(layout, log, surroundings).catch(() => undefined);
    if (settled === undefined) throw inUse(layout, log, cause) ?? cause;
    return { ...settled, changed: true };
  }
  await takeOver(layout, log, newKey);
  return rotated;
}

/**
 * The key that signs one of this host's logs. What a crash left of a change of it is finished first, or undone.
 * @param log the name of its directory
 * @throws InstallError STATE_TAMPERED when it is gone or damaged, LOG_IN_USE while it is being changed; LedgerError;
 *   DurableError
 */
export async function loadLogKey(layout: DataLayout, log: string, surroundings: Surroundings): Promise<PrivateKey> {
  await mendLogKey(layout, log, surroundings);
  return readPrivateKey(logKeyFiles(layout, log).privateKey);
}

/** Finishes or undoes what a crash left of a change of the key, for others who will read it. @throws as `loadLogKey` */
export async function mendLogKey(layout: DataLayout, log: string, surroundings: Surroundings): Promise<void> {
  const { next, lock } = logKeyFiles(layout, log);
  if (!existsSync(next)) return;
  using _lock = notInUse(layout, log, () => acquireLock(lock));
  await settle(layout, log, surroundings);
}

/**
 * Brings the files of the key into line with the log, which alone says whether the new key took over. Call with the lock
 * of the key held.
 * @returns the change that was finished; undefined if there was none, or it never came to be
 */
async function settle(layout: DataLayout, log: string, surroundings: Surroundings): Promise<Rotated | undefined> {
  const { next } = logKeyFiles(layout, log);
  if (!existsSync(next)) return undefined;
  const key = readPrivateKey(next);
  const directory = join(layout.logs, log);
  const current = await asOurs(layout, log, () => keyOfNextWriter(directory));
  if (!isSameKey(current, key.publicKey)) {
    destroyDurably(next);
    return undefined;
  }
  const open = () => openLedgerWriter({ directory, key, ...guards(layout, log), ...surroundings });
  const writer = await asOurs(layout, log, open).catch((cause: unknown) =>
    Promise.reject(inUse(layout, log, cause) ?? cause),
  );
  await writer.head();
  await writer.close();
  await takeOver(layout, log, key);
  using reader = await openLedgerReader(directory);
  return { changed: false, number: reader.epochs.length - 1, epoch: currentEpoch(reader.epochs) };
}

/** The log has the new key: so do its files, and the old private key is gone. */
async function takeOver(layout: DataLayout, log: string, key: PrivateKey): Promise<void> {
  const { privateKey, publicKey, next } = logKeyFiles(layout, log);
  if (log === INSTALL_LOG) {
    using reader = await openLedgerReader(layout.installLog);
    storeAnchor(layout, reader.head);
  }
  storePublicKey(publicKey, key.publicKey);
  overwriteDurably(privateKey);
  renameDurably(next, privateKey);
}

function guards(layout: DataLayout, log: string) {
  return log === INSTALL_LOG ? installLogGuards(layout) : {};
}

async function asOurs<T>(layout: DataLayout, log: string, work: () => Promise<T>): Promise<T> {
  return log === INSTALL_LOG ? await asOwnState(layout, work) : await work();
}

function notInUse(layout: DataLayout, log: string, acquire: () => Lock): Lock {
  try {
    return acquire();
  } catch (cause) {
    throw inUse(layout, log, cause) ?? cause;
  }
}

function inUse({ data }: DataLayout, log: string, cause: unknown): InstallError | undefined {
  if (!(cause instanceof DurableError) || cause.code !== 'LOCKED') return undefined;
  const who = log === INSTALL_LOG ? 'another command is' : 'another command, or the agent, is';
  const message = `${who} using the log ${escapeForTerminal(join(data, 'logs', log))}; wait for it to end, or stop it, and try again`;
  return new InstallError('LOG_IN_USE', message, { cause, fault: 'refused' });
}
