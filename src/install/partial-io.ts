import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { readChunks } from '../archive/file-chunks-io.ts';
import { encodeHex } from '../core/bytes.ts';
import { type Digest, parseDigest } from '../core/digest.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { isJoinedName, type JoinedFiles } from './joined-files-io.ts';
import { isNoteName } from './partial-notes-io.ts';

/** Blobs that an interrupted apply left, so that the next need not read them from the stick again. */
const PREFIX = 'partial-';

/** Where the blobs of the bundle with this payload wait for each other. */
export function partialDirectory(parent: string, payload: Digest): string {
  return join(parent, `${PREFIX}${encodeHex(parseDigest(payload).hash)}`);
}

/** The payload in the name of such a directory. */
export function payloadOfPartial(name: string): Digest {
  return `sha256:${name.slice(PREFIX.length)}`;
}

/** The name of the one that was written to last: more than one interrupted bundle is not kept. */
export function newestPartial(parent: string): string | undefined {
  const names = readdirSync(parent).filter((name) => name.startsWith(PREFIX));
  const times = names.map((name) => ({ name, at: lstatSync(join(parent, name)).mtimeMs }));
  return times.sort((a, b) => b.at - a.at)[0]?.name;
}

/**
 * What of a bundle lies in the directory: whole files under their digests, chunks in the files they belong to. All else
 * is removed.
 * @param whole digest and size of the files that are one blob
 * @returns digests of the blobs that are what was signed
 * @throws DurableError; whatever `onBytes` throws
 */
export async function recoverBlobs(
  directory: string,
  whole: ReadonlyMap<string, number>,
  joined: JoinedFiles,
  onBytes: (bytes: number) => void,
): Promise<ReadonlySet<string>> {
  try {
    const sound = await keepSound(directory, whole, onBytes);
    const chunks = await joined.recover(onBytes);
    for (const sha256 of sound) {
      if (joined.has(sha256) && !chunks.has(sha256)) await joined.fill(sha256, join(directory, sha256));
    }
    return new Set([...sound, ...[...chunks].filter((sha256) => !whole.has(sha256))]);
  } catch (cause) {
    if (errnoOf(cause) === undefined) throw cause;
    throw durableErrorFrom(cause, 'read what an earlier run left in', directory);
  }
}

async function keepSound(
  directory: string,
  whole: ReadonlyMap<string, number>,
  onBytes: (bytes: number) => void,
): Promise<ReadonlySet<string>> {
  const sound = new Set<string>();
  for (const name of readdirSync(directory)) {
    if (isJoinedName(name) || isNoteName(name)) continue;
    const path = join(directory, name);
    if (isPlainFile(path, whole.get(name)) && (await hashOf(path, onBytes)) === name) sound.add(name);
    else rmSync(path, { recursive: true, force: true });
  }
  return sound;
}

/** A file of this size, and nobody else's name for it: a link's target could be written to later. */
function isPlainFile(path: string, size: number | undefined): boolean {
  const stat = lstatSync(path);
  return stat.isFile() && stat.nlink === 1 && stat.size === size;
}

async function hashOf(path: string, onBytes: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  await using file = await open(path, 'r');
  for await (const piece of readChunks(file)) {
    hash.update(piece);
    onBytes(piece.length);
  }
  return hash.digest('hex');
}
