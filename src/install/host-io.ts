import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { encodeHex } from '../core/bytes.ts';
import { signCheckpoint } from '../core/checkpoint.ts';
import { HASHES } from '../core/digest.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { formatPrivateKey, type PrivateKey, type PublicKey, parsePrivateKey, parsePublicKey } from '../core/keys.ts';
import { emptyRoot } from '../core/merkle.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { acquireLock } from '../durable/lock-io.ts';
import { createLedger } from '../ledger/create-io.ts';
import { GENESIS_FILE } from '../ledger/format.ts';
import { InstallError, tampered } from './errors.ts';
import { type DataLayout, dataLayout } from './layout.ts';

const HOST_ID_BYTES = 16;
const INIT_LOCK = 'init.lock';
export const INSTALL_LOG_HASH = 'blake3';

/** Origin of a host's log: what its checkpoints are named by. Contains the host, so that two hosts never share one. */
export function originOf(host: string, log: string): string {
  return `daemoneye.invalid/${host}/${log}`;
}

/**
 * Makes a data directory: a random host id (machine ids get cloned), the keys of this host's logs and receipts, the
 * install log.
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
  for (const directory of [layout.trust, layout.roots, layout.keys, layout.bundles, layout.staging]) {
    createDirectoryDurably(directory);
  }
  const key = createKeyPair(layout.logKey, layout.logPublicKey);
  createKeyPair(layout.receiptKey, layout.receiptPublicKey);
  const host = encodeHex(random(HOST_ID_BYTES));
  const origin = originOf(host, 'install');
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

/** Everything in the directory is what an init that was cut off leaves. @throws InstallError DIRECTORY_NOT_EMPTY */
function assertNothingForeign(layout: DataLayout): void {
  const { data, trust, roots, anchor, keys, bundles, staging, installLog } = layout;
  const logs = dirname(installLog);
  const own = (...paths: readonly string[]) => new Set(paths.map((path) => basename(path)));
  const expected: readonly (readonly [string, ReadonlySet<string>])[] = [
    // A file system of its own has a lost+found.
    [data, own(INIT_LOCK, 'lost+found', trust, keys, bundles, staging, logs)],
    [trust, own(roots, anchor)],
    [keys, own(layout.logKey, layout.logPublicKey, layout.receiptKey, layout.receiptPublicKey)],
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

function createKeyPair(privatePath: string, publicPath: string): PrivateKey {
  const pem = formatPrivateKey(generateKeyPairSync('ed25519').privateKey);
  const key = parsePrivateKey(pem);
  writeFileDurably(privatePath, new TextEncoder().encode(pem), { mode: 0o600 });
  writeFileDurably(publicPath, new TextEncoder().encode(key.publicKey.pem), { mode: 0o644 });
  return key;
}

/** The key that signs this host's logs. @throws InstallError STATE_TAMPERED when it is gone or damaged; DurableError */
export function loadHostKey(layout: DataLayout): PrivateKey {
  return readHostKey(layout.logKey, parsePrivateKey);
}

/** Its public half, which whoever may read the data directory may read. @throws as {@link loadHostKey} */
export function loadHostPublicKey(layout: DataLayout): PublicKey {
  return readHostKey(layout.logPublicKey, parsePublicKey);
}

/** The key that signs this host's receipts. @throws as {@link loadHostKey} */
export function loadReceiptKey(layout: DataLayout): PrivateKey {
  return readHostKey(layout.receiptKey, parsePrivateKey);
}

/** Its public half. @throws as {@link loadHostKey} */
export function loadReceiptPublicKey(layout: DataLayout): PublicKey {
  return readHostKey(layout.receiptPublicKey, parsePublicKey);
}

function readHostKey<T>(path: string, parse: (pem: string) => T): T {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (!(cause instanceof DaemonEyeError) && errnoOf(cause) !== 'ENOENT') {
      throw durableErrorFrom(cause, 'read the key', path);
    }
    throw tampered(`this host's key ${path} is gone or damaged; restore it from a backup`, { cause });
  }
}
