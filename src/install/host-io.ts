import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeHex } from '../core/bytes.ts';
import { formatPrivateKey, type PrivateKey, type PublicKey, parsePrivateKey, parsePublicKey } from '../core/keys.ts';
import type { Time } from '../core/time.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { acquireLock } from '../durable/lock-io.ts';
import { createLedger } from '../ledger/create-io.ts';
import { GENESIS_FILE } from '../ledger/format.ts';
import { InstallError } from './errors.ts';
import { type DataLayout, dataLayout } from './layout.ts';

const HOST_ID_BYTES = 16;
export const INSTALL_LOG_HASH = 'blake3';

/** Origin of a host's log: what its checkpoints are named by. Contains the host, so that two hosts never share one. */
export function originOf(host: string, log: string): string {
  return `daemoneye.invalid/${host}/${log}`;
}

/**
 * Makes a data directory: a random host id (machine ids get cloned), the key of this host's logs, the install log.
 * The log's genesis is written last and is what makes a directory one; after a crash before it, init starts over.
 * @param random cryptographically random bytes
 * @throws InstallError ALREADY_INITIALISED; DurableError
 */
export function initHost(
  data: string,
  createdAt: Time,
  random: (bytes: number) => Uint8Array,
): { readonly host: string; readonly origin: string; readonly key: PrivateKey } {
  const layout = dataLayout(data);
  createDirectoryDurably(data);
  using _lock = acquireLock(join(data, 'init.lock'));
  if (isInitialised(layout)) {
    throw new InstallError('ALREADY_INITIALISED', `${data} is a data directory already; nothing was changed`);
  }
  for (const directory of [layout.trust, layout.roots, layout.keys, layout.bundles, layout.staging]) {
    createDirectoryDurably(directory);
  }
  const key = createHostKey(layout);
  const host = encodeHex(random(HOST_ID_BYTES));
  const origin = originOf(host, 'install');
  createLedger({ directory: layout.installLog, host, origin, hash: INSTALL_LOG_HASH, key, createdAt });
  return { host, origin, key };
}

export function isInitialised(layout: DataLayout): boolean {
  return existsSync(join(layout.installLog, GENESIS_FILE));
}

/** @throws InstallError NOT_INITIALISED */
export function assertInitialised(layout: DataLayout): void {
  if (isInitialised(layout)) return;
  throw new InstallError('NOT_INITIALISED', `${layout.data} is not a data directory yet: run "daemoneye init" first`);
}

function createHostKey(layout: DataLayout): PrivateKey {
  const pem = formatPrivateKey(generateKeyPairSync('ed25519').privateKey);
  const key = parsePrivateKey(pem);
  writeFileDurably(layout.logKey, new TextEncoder().encode(pem), { mode: 0o600 });
  writeFileDurably(layout.logPublicKey, new TextEncoder().encode(key.publicKey.pem), { mode: 0o644 });
  return key;
}

/** The key that signs this host's logs. @throws DurableError, or CoreError when the file is damaged */
export function loadHostKey(layout: DataLayout): PrivateKey {
  return parsePrivateKey(readKeyFile(layout.logKey));
}

/** Its public half, which whoever may read the data directory may read. @throws as {@link loadHostKey} */
export function loadHostPublicKey(layout: DataLayout): PublicKey {
  return parsePublicKey(readKeyFile(layout.logPublicKey));
}

function readKeyFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw durableErrorFrom(cause, 'read the key', path);
  }
}
