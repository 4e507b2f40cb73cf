import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { messageOf } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Artifact } from '../../verify/release/method.ts';
import { CliError } from '../errors.ts';

/** Bytes of an artifact that are kept for signatures over the artifact itself (Ed25519). */
const KEPT_BYTES = 64 * 1024 * 1024;
const STEP = 1024 * 1024;
const DIGEST = /^sha256:([0-9a-f]{64})$/;

/**
 * An artifact, read once, or only its digest where that is all that is given (`sha256:` and 64 hex digits).
 * @throws CliError FILE_NOT_FOUND or what aborted it
 */
export function hashArtifact(fileOrDigest: string, signal: AbortSignal): Artifact {
  const sha256 = DIGEST.exec(fileOrDigest)?.[1];
  if (sha256 !== undefined) return { name: fileOrDigest, digests: { sha256 } };
  let fd: number;
  try {
    fd = openSync(fileOrDigest, 'r');
  } catch (cause) {
    const message = `${escapeForTerminal(fileOrDigest)} can't be read: ${escapeForTerminal(messageOf(cause))}; check the path`;
    throw new CliError('FILE_NOT_FOUND', message, { cause });
  }
  try {
    return hashOpen(fd, fileOrDigest, signal);
  } finally {
    closeSync(fd);
  }
}

function hashOpen(fd: number, name: string, signal: AbortSignal): Artifact {
  const hashes = { sha256: createHash('sha256'), sha384: createHash('sha384'), sha512: createHash('sha512') };
  const kept: Buffer[] = [];
  let total = 0;
  for (;;) {
    signal.throwIfAborted();
    const chunk = Buffer.allocUnsafe(STEP);
    const count = readSync(fd, chunk, 0, STEP, null);
    if (count === 0) break;
    const piece = chunk.subarray(0, count);
    for (const hash of Object.values(hashes)) hash.update(piece);
    total += count;
    if (total <= KEPT_BYTES) kept.push(piece);
    else kept.length = 0;
  }
  const digests = {
    sha256: hashes.sha256.digest('hex'),
    sha384: hashes.sha384.digest('hex'),
    sha512: hashes.sha512.digest('hex'),
  };
  return { name, digests, ...(total > KEPT_BYTES ? {} : { bytes: new Uint8Array(Buffer.concat(kept)) }) };
}
