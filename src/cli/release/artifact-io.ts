import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { UntrustedFile } from '../../archive/untrusted-file-io.ts';
import { encodeHex } from '../../core/bytes.ts';
import { MAX_WHOLE_BYTES, type Message } from '../../verify/release/message.ts';
import type { Artifact } from '../../verify/release/method.ts';
import type { MessageNeed } from '../../verify/release/prepared.ts';
import { hashesOf } from '../../verify/release/release-report.ts';
import { CliError } from '../errors.ts';

export type Watch = { readonly signal: AbortSignal; readonly progress: (done: number, total: number) => void };

/**
 * Reads the artifact once: its hashes, and all of it only where a method needs that and it is small enough.
 * @throws CliError FILE_NOT_FOUND; ArchiveError FILE_CHANGED, DIRECTORY_TYPE and others; what aborted it
 */
export async function readArtifact(path: string, needs: ReadonlySet<MessageNeed>, watch: Watch): Promise<Message> {
  await using file = await UntrustedFile.open(realPath(path), path);
  const hashes = hashesOf(needs).map((name) => ({ name, hash: createHash(name) }));
  const isKept = needs.has('whole') && file.size <= MAX_WHOLE_BYTES;
  const bytes = isKept ? new Uint8Array(file.size) : undefined;
  let done = 0;
  for await (const piece of file.chunks()) {
    watch.signal.throwIfAborted();
    for (const { hash } of hashes) hash.update(piece);
    bytes?.set(piece, done);
    done += piece.length;
    watch.progress(done, file.size);
  }
  // Of copies: each is still to be continued by what a signature says of itself.
  const digests = Object.fromEntries(hashes.map(({ name, hash }) => [name, encodeHex(hash.copy().digest())]));
  const continued: Message['continued'] = (name, after) => {
    const found = hashes.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${name} of the message was not computed`);
    return new Uint8Array(found.hash.copy().update(after).digest());
  };
  const known = { name: path, size: done, digests: { sha256: '', ...digests }, continued };
  return bytes === undefined ? known : { ...known, bytes };
}

const DIGEST = /^sha256:([0-9a-f]{64})$/;

/**
 * An artifact for sigstore, or only its digest where that is all that is given (`sha256:` and 64 hex digits).
 * @param isKeyed a plain key may sign the artifact itself, so all of it is wanted
 * @throws as {@link readArtifact}
 */
export async function readFileOrDigest(given: string, isKeyed: boolean, signal: AbortSignal): Promise<Artifact> {
  const sha256 = DIGEST.exec(given)?.[1];
  if (sha256 !== undefined) return { name: given, digests: { sha256 } };
  const needs = new Set<MessageNeed>(['sha256', 'sha384', 'sha512', ...(isKeyed ? (['whole'] as const) : [])]);
  return readArtifact(given, needs, { signal, progress: () => undefined });
}

/** A link that somebody names himself is his own choice. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    throw new CliError('FILE_NOT_FOUND', `there is no file ${JSON.stringify(path)}; check the path`, { cause });
  }
}
