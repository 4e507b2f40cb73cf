import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { readChunks } from '../../archive/file-chunks-io.ts';
import { type TarFile, writeTar } from '../../archive/tar-writer.ts';
import { compareUtf8, concatBytes, utf8 } from '../../core/bytes.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { durableErrorFrom } from '../../durable/errors.ts';
import { renameDurably, temporaryName } from '../../durable/files-io.ts';
import type { LedgerReader } from '../../ledger/reader-io.ts';
import { ForensicsError } from '../errors.ts';
import type { FileFact } from './bag.ts';

/** A file of a package, in memory or on disk; `path` is below the bag. */
export type PackMember = { readonly path: string } & (
  | { readonly bytes: Uint8Array }
  | { readonly file: string; readonly size: number }
);

const PUBLIC_FILE = 0o644;
const NEWLINE = utf8('\n');
/** Lines are gathered up to about this much before they are written. */
const BATCH_BYTES = 1024 * 1024;

/** @throws ForensicsError OUTPUT_EXISTS */
export function assertNew(out: string): void {
  if (lstatSync(out, { throwIfNoEntry: false }) === undefined) return;
  const message = `"${escapeForTerminal(out)}" exists already; remove it or choose another name`;
  throw new ForensicsError('OUTPUT_EXISTS', message);
}

/**
 * Writes lines of a log verbatim, one after the other, into a scratch file.
 * @throws LedgerError; DurableError
 */
export async function writeLines(file: string, reader: LedgerReader, seqs: readonly number[]): Promise<FileFact> {
  const hash = createHash('sha256');
  const fd = openSync(file, 'wx', 0o600);
  let size = 0;
  let batch: Uint8Array[] = [];
  let gathered = 0;
  const flush = (): void => {
    const bytes = concatBytes(...batch);
    hash.update(bytes);
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
    size += bytes.length;
    batch = [];
    gathered = 0;
  };
  try {
    for (const seq of seqs) {
      const line = await reader.line(seq);
      batch.push(line, NEWLINE);
      gathered += line.length + 1;
      if (gathered >= BATCH_BYTES) flush();
    }
    flush();
  } catch (cause) {
    throw cause instanceof Error && 'syscall' in cause ? durableErrorFrom(cause, 'write', file) : cause;
  } finally {
    closeSync(fd);
  }
  return { size, sha256: hash.digest('hex') };
}

/**
 * Writes the one tar of a package: a single directory with the bag in it, names in byte order.
 * @throws ArchiveError where a name does not fit; DurableError
 */
export async function packTar(
  out: string,
  bag: string,
  members: readonly PackMember[],
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const sorted = members.map((member) => ({ ...member, name: `${bag}/${member.path}` }));
  sorted.sort((a, b) => compareUtf8(a.name, b.name));
  const temporary = temporaryName(out);
  try {
    const handle = await open(temporary, 'wx', PUBLIC_FILE);
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const piece of writeTar(filesOf(sorted))) {
        hash.update(piece);
        for (let done = 0; done < piece.length; ) {
          done += (await handle.write(piece, done, piece.length - done)).bytesWritten;
        }
        bytes += piece.length;
      }
      await handle.chmod(PUBLIC_FILE);
      await handle.sync();
    } finally {
      await handle.close();
    }
    renameDurably(temporary, out);
    return { sha256: hash.digest('hex'), bytes };
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause instanceof Error && 'syscall' in cause ? durableErrorFrom(cause, 'write', out) : cause;
  }
}

async function* filesOf(members: readonly (PackMember & { readonly name: string })[]): AsyncGenerator<TarFile> {
  for (const member of members) {
    const { name } = member;
    if ('bytes' in member) yield { name, size: member.bytes.length, body: [member.bytes] };
    else {
      await using handle = await open(member.file);
      yield { name, size: member.size, body: readChunks(handle, member.size) };
    }
  }
}
