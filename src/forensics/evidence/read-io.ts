import { createHash } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UntrustedDirectory } from '../../archive/directory-io.ts';
import { PathSet } from '../../archive/path-set.ts';
import { TarReader } from '../../archive/tar-reader.ts';
import { UntrustedFile } from '../../archive/untrusted-file-io.ts';
import { walkFiles } from '../../archive/walk-io.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { count } from '../../core/wording.ts';
import { durableErrorFrom } from '../../durable/errors.ts';
import { untrusted } from '../errors.ts';
import type { FileFact } from './bag.ts';
import { MAX_FILES, MAX_LINES_BYTES } from './format.ts';
import { type EvidencePart, maxBytesOf, partOf } from './layout.ts';
import type { OpenedBag } from './verification.ts';

/** A package, copied: what is judged and used from here on is the copy, whatever the stick answers the next time. */
export type StagedPackage = { readonly bag: OpenedBag; readonly reason: string };

/** A member of a container; its pieces are each valid until the next is asked for. */
type Member = {
  /** Below the bag. */
  readonly path: string;
  readonly size: number;
  readonly pieces: AsyncIterable<Uint8Array>;
  /** The directory that holds the bag in a tar. */
  readonly bag?: string;
};

/**
 * Copies a package, a tar or an unpacked bag, into a private directory, hashing every byte on its way. Known names only,
 * and no more bytes than each may have.
 * @param staging an empty directory of our own; the files come to lie in it by their paths below the bag
 * @throws ForensicsError NOT_A_PACKAGE, UNKNOWN_NAME, PART_TOO_LARGE or BAG_FETCH; ArchiveError; DurableError
 */
export async function stageEvidence(path: string, staging: string, signal?: AbortSignal): Promise<StagedPackage> {
  const isDirectory = statOf(path).isDirectory();
  const source = isDirectory ? readDirectory(path) : readTar(path);
  const files = new Map<string, FileFact>();
  const documents = new Map<string, Uint8Array>();
  let name: string | undefined;
  for await (const member of source) {
    signal?.throwIfAborted();
    const part = partOf(member.path);
    assertSize(member.path, part, member.size);
    const target = join(staging, ...member.path.split('/'));
    files.set(member.path, await copyTo(target, member, part));
    if (!isLines(part)) documents.set(member.path, new Uint8Array(readFileSync(target)));
    name = member.bag ?? name;
  }
  const bytes = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  const what = isDirectory ? 'a directory' : 'a tar';
  return { bag: { name, files, documents }, reason: `${what} of ${count(files.size, 'file')}, ${bytes} bytes` };
}

function statOf(path: string) {
  try {
    return statSync(resolve(path));
  } catch (cause) {
    throw durableErrorFrom(cause, 'open', path);
  }
}

async function* readDirectory(path: string): AsyncGenerator<Member> {
  await using root = await UntrustedDirectory.open(path);
  for await (const found of walkFiles(root, MAX_FILES)) {
    await using file = await found.open();
    yield { path: found.path, size: file.size, pieces: file.chunks() };
  }
}

async function* readTar(path: string): AsyncGenerator<Member> {
  await using file = await UntrustedFile.open(path, basename(path));
  const tar = new TarReader(file.chunks(), { maxEntries: MAX_FILES, maxEntryBytes: MAX_LINES_BYTES });
  const paths = new PathSet();
  let bag: string | undefined;
  try {
    for (let header = await tar.next(); header !== undefined; header = await tar.next()) {
      paths.addFile(header.name);
      const slash = header.name.indexOf('/');
      // RFC 8493 section 4 (serialization): one directory at the top, and the bag in it.
      bag ??= header.name.slice(0, Math.max(slash, 0));
      if (slash < 1 || !header.name.startsWith(`${bag}/`)) {
        throw untrusted(
          'NOT_A_PACKAGE',
          `"${escapeForTerminal(header.name)}" does not lie in the one directory of the bag`,
        );
      }
      yield { path: header.name.slice(slash + 1), size: header.size, pieces: piecesOf(tar), bag };
    }
  } finally {
    await tar.close();
  }
  if (bag === undefined) throw untrusted('NOT_A_PACKAGE', 'the archive is empty');
}

async function* piecesOf(tar: TarReader): AsyncGenerator<Uint8Array> {
  for (let piece = await tar.read(); piece !== undefined; piece = await tar.read()) yield piece;
}

function assertSize(path: string, part: EvidencePart, size: number): void {
  const max = maxBytesOf(part);
  if (size > max) {
    throw untrusted('PART_TOO_LARGE', `${escapeForTerminal(path)} has ${size} bytes; at most ${max} are allowed`);
  }
}

function isLines(part: EvidencePart): boolean {
  return part.kind === 'log' && part.file === 'lines';
}

async function copyTo(target: string, { path, size, pieces }: Member, part: EvidencePart): Promise<FileFact> {
  const hash = createHash('sha256');
  let bytes = 0;
  const fd = createFile(target);
  try {
    for await (const piece of pieces) {
      hash.update(piece);
      bytes += piece.length;
      writePiece(fd, piece, target);
    }
  } finally {
    closeSync(fd);
  }
  assertSize(path, part, bytes);
  if (bytes !== size) throw untrusted('PART_TOO_LARGE', `${escapeForTerminal(path)} has another length than it said`);
  return { size: bytes, sha256: hash.digest('hex') };
}

function createFile(target: string): number {
  const { O_CREAT, O_EXCL, O_WRONLY } = constants;
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    return openSync(target, O_WRONLY | O_CREAT | O_EXCL | (constants.O_NOFOLLOW ?? 0), 0o600);
  } catch (cause) {
    throw durableErrorFrom(cause, 'create', target);
  }
}

function writePiece(fd: number, piece: Uint8Array, target: string): void {
  try {
    for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done, piece.length - done);
  } catch (cause) {
    throw durableErrorFrom(cause, 'write', target);
  }
}
