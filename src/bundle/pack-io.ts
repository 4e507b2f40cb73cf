import { createHash } from 'node:crypto';
import { constants, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UntrustedDirectory } from '../archive/directory-io.ts';
import { type TarFile, writeTar } from '../archive/tar-writer.ts';
import { encodeHex } from '../core/bytes.ts';
import { sha256 } from '../core/digest.ts';
import { parseEnvelope } from '../core/dsse.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { renameDurably, temporaryName } from '../durable/files-io.ts';
import { writeFully } from './blob-store-io.ts';
import { type BundleError, untrusted } from './errors.ts';
import { BUNDLE_PAYLOAD_TYPE, blobName, ENVELOPE_NAME, INDEX_NAME, rootName } from './format.ts';
import { expectedBlobs, parseIndex } from './index-lines.ts';
import { compareBundleNames } from './layout.ts';
import { assertNewOutput } from './output-io.ts';
import { assertReadsBack } from './read-back-io.ts';
import { type BlobDirectory, DirectoryBundle } from './read-directory-io.ts';
import type { BundleHead } from './reader.ts';
import { parseStatement } from './statement.ts';

export type PackResult = {
  /** Of the whole tar, hex; what `sha256sum` prints. */
  readonly sha256: string;
  readonly bytes: number;
  readonly blobs: number;
  /** Blobs of the index that the directory doesn't hold: the pack is a volume or a delta. */
  readonly missing: number;
};

const PUBLIC_FILE = 0o644;
/** Small pieces (headers, padding) are gathered up to this before they are written. */
const WRITE_BYTES = 256 * 1024;

/**
 * Packs a bundle directory into one deterministic tar. Every blob is hashed again on the way, and the written file is
 * read back and compared before it gets its name: when this returns, a stick may be removed. (The read goes through
 * the operating system's cache; what the medium does after is for the verifier on the other side.)
 *
 * The tar appears under its name complete and durable, or not at all.
 * @throws BundleError OUTPUT_EXISTS, OUTPUT_INSIDE_SOURCE, ENVELOPE_MISSING, INDEX_MISSING, INDEX_MISMATCH,
 *   BLOB_UNLISTED, BLOB_MISMATCH or PACK_MISMATCH, and as `parseStatement`, `parseIndex` and `BundleReader`; CoreError; ArchiveError; DurableError
 */
export async function packBundle(directory: string, outFile: string): Promise<PackResult> {
  const out = resolve(outFile);
  assertNewOutput(directory, out);
  const bundle = new DirectoryBundle(await UntrustedDirectory.open(directory));
  const temporary = temporaryName(out);
  try {
    const head = await bundle.readHead();
    const { index: signed, bytes } = parseStatement(parseEnvelope(head.envelope, BUNDLE_PAYLOAD_TYPE).payload);
    const index = await bundle.readIndex(signed.size);
    if (encodeHex(sha256(index)) !== signed.sha256) {
      throw untrusted('INDEX_MISMATCH', 'index.jsonl is not the one the statement names: build the bundle again');
    }
    const expected = expectedBlobs(parseIndex(index, { lines: signed.lines, bytes }));
    await using blobs = await bundle.openBlobs();
    const written = await writeTarFile(temporary, writeTar(members(head, index, blobs, expected), compareBundleNames));
    await assertReadsBack(temporary, out, written.sha256);
    renameDurably(temporary, out);
    return { ...written, blobs: blobs.names.length, missing: expected.size - blobs.names.length };
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  } finally {
    await bundle.close();
  }
}

async function* members(
  head: BundleHead,
  index: Uint8Array,
  blobs: BlobDirectory,
  expected: ReadonlyMap<string, number>,
): AsyncGenerator<TarFile> {
  yield inMemory(ENVELOPE_NAME, head.envelope);
  for (const { version, bytes } of head.rootChain) yield inMemory(rootName(version), bytes);
  yield inMemory(INDEX_NAME, index);
  for (const digest of blobs.names) {
    if (!expected.has(digest)) throw untrusted('BLOB_UNLISTED', `the blob ${digest} is not in the index`);
    await using file = await blobs.open(digest);
    if (file.size !== expected.get(digest)) throw mismatch(digest);
    yield { name: blobName(digest), size: file.size, body: verified(file.chunks(), digest) };
  }
}

function inMemory(name: string, bytes: Uint8Array): TarFile {
  return { name, size: bytes.length, body: [bytes] };
}

/** Hands on the bytes; throws at their end if they were not the ones the name promises. */
async function* verified(pieces: AsyncIterable<Uint8Array>, digest: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
  if (hash.digest('hex') !== digest) throw mismatch(digest);
}

function mismatch(digest: string): BundleError {
  return untrusted('BLOB_MISMATCH', `the blob ${digest} is not what its name says: it was changed; build it again`);
}

async function writeTarFile(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | (O_NOFOLLOW ?? 0), PUBLIC_FILE).catch(
    (cause: unknown) => {
      throw durableErrorFrom(cause, 'create', path);
    },
  );
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const block of gathered(pieces)) {
      const writing = writeOwn(handle, block, path);
      hash.update(block);
      bytes += block.length;
      await writing;
    }
    await handle.chmod(PUBLIC_FILE);
    await handle.sync().catch((cause: unknown) => {
      throw durableErrorFrom(cause, 'write', path);
    });
    return { sha256: hash.digest('hex'), bytes };
  } finally {
    await handle.close();
  }
}

async function writeOwn(handle: FileHandle, block: Uint8Array, path: string): Promise<void> {
  try {
    await writeFully(handle, block);
  } catch (cause) {
    throw durableErrorFrom(cause, 'write', path);
  }
}

/** The same bytes in larger pieces, each valid until the next is asked for. */
async function* gathered(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(WRITE_BYTES);
  let filled = 0;
  for await (const piece of pieces) {
    if (filled + piece.length > buffer.length) {
      yield buffer.subarray(0, filled);
      filled = 0;
    }
    if (piece.length >= buffer.length) {
      yield piece;
      continue;
    }
    buffer.set(piece, filled);
    filled += piece.length;
  }
  yield buffer.subarray(0, filled);
}
