import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { encodeHex } from '../core/bytes.ts';
import { signCheckpoint } from '../core/checkpoint.ts';
import { HASHES } from '../core/digest.ts';
import type { PrivateKey } from '../core/keys.ts';
import { emptyRoot } from '../core/merkle.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { acquireLock } from '../durable/lock-io.ts';
import { createLedger } from '../ledger/create-io.ts';
import { GENESIS_FILE } from '../ledger/format.ts';
import { InstallError } from './errors.ts';
import { createKeyPair } from './host-keys-io.ts';
import { type DataLayout, dataLayout, INSTALL_LOG, logKeyFiles } from './layout.ts';

const HOST_ID_BYTES = 16;
const INIT_LOCK = 'init.lock';
export const INSTALL_LOG_HASH = 'blake3';

/** Origin of a host's log: what its checkpoints are named by. Contains the host, so that two hosts never share one. */
export function originOf(host: string, log: string): string {
  return `daemoneye.invalid/${host}/${log}`;
}

/**
 * Makes a data directory: a random host id (machine ids get cloned), the keys of its install log and of its receipts,
 * the install log.
 * The log's genesis is written last and is what makes a directory one; after a crash before it, init starts over. A
 * directory that holds anything else is refused: what lies in a data directory and isn't named by its log gets removed.
 * @param random cryptographically random bytes
 * @throws InstallError ALREADY_INITIALISED or DIRECTORY_NOT_EMPTY; DurableError
 */
export function initHost(
  data: string,
  createdAt: Time,
  random: (bytes: number) => Uint8Array,
): { readonly host: string; readonly origin: string; readonly key: PrivateKey } {
  const layout = dataLayout(data);
  assertNotInitialised(layout);
  assertNothingForeign(layout);
  createDirectoryDurably(data);
  using _lock = acquireLock(join(data, INIT_LOCK));
  assertNotInitialised(layout);
  const { trust, roots, keys, logKeys, bundles, staging } = layout;
  for (const directory of [trust, roots, keys, logKeys, bundles, staging]) createDirectoryDurably(directory);
  const key = createLogKey(layout, INSTALL_LOG);
  createKeyPair(layout.receiptKey, layout.receiptPublicKey);
  const host = encodeHex(random(HOST_ID_BYTES));
  const origin = originOf(host, INSTALL_LOG);
  // Before the log, so that where there is a log there is an anchor, and a missing one was taken away.
  const empty = { origin, size: 0, root: emptyRoot(HASHES[INSTALL_LOG_HASH]) };
  writeFileDurably(layout.anchor, signCheckpoint(empty, key, INSTALL_LOG_HASH), { mode: 0o644 });
  createLedger({ directory: layout.installLog, host, origin, hash: INSTALL_LOG_HASH, key, createdAt });
  return { host, origin, key };
}

function assertNotInitialised(layout: DataLayout): void {
  if (!isInitialised(layout)) return;
  throw new InstallError('ALREADY_INITIALISED', `${layout.data} is a data directory already; nothing was changed`);
}

function createLogKey(layout: DataLayout, log: string): PrivateKey {
  const { privateKey, publicKey } = logKeyFiles(layout, log);
  return createKeyPair(privateKey, publicKey);
}

/**
 * Makes a log of this host, with a key of its own, unless it is there. After a crash between the two, both are made anew.
 * @throws LedgerError LEDGER_EXISTS where something else lies there; DurableError
 */
export function ensureHostLog(layout: DataLayout, host: string, log: string, createdAt: Time): void {
  const directory = join(layout.logs, log);
  if (existsSync(join(directory, GENESIS_FILE))) return;
  createDirectoryDurably(layout.logKeys);
  const key = createLogKey(layout, log);
  createLedger({ directory, host, origin: originOf(host, log), hash: INSTALL_LOG_HASH, key, createdAt });
}

/** Everything in the directory is what an init that was cut off leaves. @throws InstallError DIRECTORY_NOT_EMPTY */
function assertNothingForeign(layout: DataLayout): void {
  const { data, trust, roots, anchor, keys, logKeys, receiptKey, receiptPublicKey, bundles, staging, logs } = layout;
  const { privateKey, publicKey } = logKeyFiles(layout, INSTALL_LOG);
  const own = (...paths: readonly string[]) => new Set(paths.map((path) => basename(path)));
  const expected: readonly (readonly [string, ReadonlySet<string>])[] = [
    // A file system of its own has a lost+found.
    [data, own(INIT_LOCK, 'lost+found', trust, keys, bundles, staging, logs)],
    [trust, own(roots, anchor)],
    [keys, own(logKeys, receiptKey, receiptPublicKey)],
    [logKeys, own(privateKey, publicKey)],
    ...[roots, bundles, staging, logs].map((directory) => [directory, own()] as const),
  ];
  for (const [directory, names] of expected) {
    const foreign = namesIn(directory).find((name) => !names.has(name) && !TEMPORARY.test(name));
    if (foreign === undefined) continue;
    throw new InstallError(
      'DIRECTORY_NOT_EMPTY',
      `${join(directory, foreign)} is there already: a new data directory must be empty; choose another`,
    );
  }
}

/** As `temporaryName` makes them. */
const TEMPORARY = /^\..*\.tmp$/;

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw durableErrorFrom(cause, 'look into', directory);
  }
}

/** @throws DurableError when it can't be told, for want of permission */
export function isInitialised(layout: DataLayout): boolean {
  try {
    statSync(join(layout.installLog, GENESIS_FILE));
    return true;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return false;
    throw durableErrorFrom(cause, 'look into', layout.data);
  }
}

/** @throws InstallError NOT_INITIALISED */
export function assertInitialised(layout: DataLayout): void {
  if (isInitialised(layout)) return;
  throw new InstallError('NOT_INITIALISED', `${layout.data} is not a data directory yet: run "daemoneye init" first`);
}
