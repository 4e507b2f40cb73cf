import { realpath, stat } from 'node:fs/promises';
import { UntrustedDirectory } from '../archive/directory-io.ts';
import { ArchiveError } from '../archive/errors.ts';
import { readErrorFrom } from '../archive/read-errors.ts';
import { TAR_BLOCK } from '../archive/tar-header.ts';
import { UntrustedFile } from '../archive/untrusted-file-io.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { BundleError } from './errors.ts';
import { ENVELOPE_NAME } from './format.ts';
import { DirectoryBundle } from './read-directory-io.ts';
import { TarBundle } from './read-tar-io.ts';
import type { BundleReader } from './reader.ts';

export type { BlobFindings, BlobSink, BlobSlot } from './blob-receiver.ts';
export { directoryBlobSink } from './blob-store-io.ts';
export type { BundleHead, BundleReader, RootEnvelope } from './reader.ts';

/** What people hand over instead of a bundle, by how it starts. */
const LOOKALIKES: readonly (readonly [start: string, advice: string])[] = [
  ['\x1f\x8b', 'is gzip-compressed; unpack it first (gunzip)'],
  ['\xfd7zXZ\x00', 'is xz-compressed; unpack it first (unxz)'],
  ['\x28\xb5\x2f\xfd', 'is zstd-compressed; unpack it first (unzstd)'],
  ['PK', 'is a zip file; a bundle is a directory or an uncompressed tar'],
];
const AGE = 'age-encryption.org/';

/**
 * Opens what was encrypted, as it streams by. Injected, because bundles know no secrets.
 * @throws DaemonEyeError, of fault `untrusted` for what is damaged, also from the pieces
 */
export type Decrypt = (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/**
 * Opens a bundle, telling by itself whether it is a directory or a tar. Only reads, so read-only media will do.
 * @param decrypt for a tar that was encrypted; what is judged is what was inside
 * @throws BundleError NOT_FOUND, NO_PERMISSION, ENCRYPTED (and there is no `decrypt`) or NOT_A_BUNDLE; ArchiveError when what is there can't be trusted
 */
export async function openBundle(path: string, decrypt?: Decrypt): Promise<BundleReader> {
  try {
    // The operator's own path may go through links; nothing inside the bundle may.
    const real = await realpath(path);
    const found = await stat(real);
    if (found.isDirectory()) return await openDirectory(path);
    if (found.isFile()) return await openTar(real, path, decrypt);
  } catch (thrown) {
    throw openErrorFrom(readErrorFrom(thrown, path));
  }
  throw notABundle(path, 'is neither a file nor a directory');
}

async function openDirectory(path: string): Promise<BundleReader> {
  const directory = await UntrustedDirectory.open(path);
  try {
    // Not judged yet, only recognised.
    if (await directory.has(ENVELOPE_NAME)) return new DirectoryBundle(directory);
    throw notABundle(path, `is a directory without ${ENVELOPE_NAME}`);
  } catch (thrown) {
    await directory.close();
    throw thrown;
  }
}

async function openTar(real: string, path: string, decrypt: Decrypt | undefined): Promise<BundleReader> {
  const file = await UntrustedFile.open(real, path);
  try {
    const start = Buffer.from(await file.peek(TAR_BLOCK)).toString('latin1');
    if (start.startsWith(AGE)) {
      if (decrypt === undefined) throw encrypted(path);
      return new TarBundle({ chunks: () => decrypt(file.chunks()), close: () => file.close() });
    }
    const lookalike = LOOKALIKES.find(([magic]) => start.startsWith(magic));
    if (lookalike !== undefined) throw notABundle(path, lookalike[1]);
    // A tar that was cut inside its first header is a damaged bundle rather than none.
    if (!start.startsWith(ENVELOPE_NAME) && start.slice(257, 262) !== 'ustar') {
      throw notABundle(path, 'is neither a bundle directory nor a tar');
    }
    return new TarBundle(file);
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

function encrypted(path: string): BundleError {
  const message = `"${escapeForTerminal(path)}" is encrypted with age; give the identity that opens it (--identity FILE)`;
  return new BundleError('ENCRYPTED', message);
}

function notABundle(path: string, why: string): BundleError {
  return new BundleError('NOT_A_BUNDLE', `"${escapeForTerminal(path)}" ${why}`);
}

function openErrorFrom(thrown: unknown): unknown {
  if (!(thrown instanceof ArchiveError)) return thrown;
  const { code, message } = thrown;
  return code === 'NOT_FOUND' || code === 'NO_PERMISSION' ? new BundleError(code, message, { cause: thrown }) : thrown;
}
