import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { utf8 } from '../core/bytes.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { formatPrivateKey, type PrivateKey, type PublicKey, parsePrivateKey, parsePublicKey } from '../core/keys.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { writeFileDurably } from '../durable/files-io.ts';
import { tampered } from './errors.ts';
import { type DataLayout, logKeyFiles } from './layout.ts';

/**
 * The keys that a host makes for itself: one for each of its logs, one for its receipts. Each log has its own, so that
 * it can be changed without the others, and so that who gets hold of procmond's can't write the agent's log.
 */
export function newHostKey(): PrivateKey {
  return parsePrivateKey(formatPrivateKey(generateKeyPairSync('ed25519').privateKey));
}

/** Both halves, each in its file. @throws DurableError */
export function createKeyPair(privatePath: string, publicPath: string): PrivateKey {
  const key = newHostKey();
  storePrivateKey(privatePath, key);
  storePublicKey(publicPath, key.publicKey);
  return key;
}

/** @throws DurableError */
export function storePrivateKey(path: string, key: PrivateKey): void {
  writeFileDurably(path, utf8(formatPrivateKey(key.handle)), { mode: 0o600 });
}

/** @throws DurableError */
export function storePublicKey(path: string, key: PublicKey): void {
  writeFileDurably(path, utf8(key.pem), { mode: 0o644 });
}

/** @throws InstallError STATE_TAMPERED when it is gone or damaged; DurableError */
export function readPrivateKey(path: string): PrivateKey {
  return readHostKey(path, parsePrivateKey);
}

/**
 * The key that a log of this host has, as far as is known outside of the log: the newest, so that a log cut back to
 * before it took over shows. Whoever may read the data directory may read it.
 * @param log the name of its directory
 * @throws InstallError STATE_TAMPERED when it is gone or damaged; DurableError
 */
export function loadLogPublicKey(layout: DataLayout, log: string): PublicKey {
  return readHostKey(logKeyFiles(layout, log).publicKey, parsePublicKey);
}

/** Whether this host has made a key for the log of that name; logs that somebody put beside them have none here. */
export function hasLogKey(layout: DataLayout, log: string): boolean {
  const { privateKey, publicKey } = logKeyFiles(layout, log);
  return existsSync(privateKey) || existsSync(publicKey);
}

/** The key that signs this host's receipts. @throws InstallError STATE_TAMPERED when it is gone or damaged; DurableError */
export function loadReceiptKey(layout: DataLayout): PrivateKey {
  return readPrivateKey(layout.receiptKey);
}

/** Its public half. @throws as {@link loadReceiptKey} */
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
