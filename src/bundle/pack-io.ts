import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { UntrustedDirectory } from '../archive/directory-io.ts';
import { type TarFile, writeTar } from '../archive/tar-writer.ts';
import { type BundleError, untrusted } from './errors.ts';
import { blobName, ENVELOPE_NAME, INDEX_NAME, rootName } from './format.ts';
import { expectedBlobs } from './index-lines.ts';
import { readUnverified, type UnverifiedParts } from './inspect-io.ts';
import { compareBundleNames } from './layout.ts';
import { assertNewOutput } from './output-io.ts';
import { type BlobDirectory, DirectoryBundle } from './read-directory-io.ts';
import { assertRoom } from './room-io.ts';
import { NewTarFile, type WrittenFile } from './tar-file-io.ts';

export type PackResult = WrittenFile & {
  readonly blobs: number;
  /** Blobs of the index that the directory doesn't hold: the pack is a volume or a delta. */
  readonly missing: number;
};

/**
 * Packs a bundle directory into one deterministic tar. Every blob is hashed again on the way, and the written file is
 * read back and compared before it gets its name: when this returns, a stick may be removed.
 *
 * @param encrypt what becomes of the tar on its way to the file
 * The tar appears under its name complete and durable, or not at all.
 * @throws BundleError OUTPUT_EXISTS, OUTPUT_INSIDE_SOURCE, ENVELOPE_MISSING, INDEX_MISSING, INDEX_MISMATCH, OUTPUT_SPACE,
 *   BLOB_UNLISTED, BLOB_MISMATCH or PACK_MISMATCH, and as `parseStatement`, `parseIndex` and `BundleReader`; CoreError; ArchiveError; DurableError
 */
export async function packBundle(
  directory: string,
  outFile: string,
  encrypt: (pieces: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> = (pieces) => pieces,
): Promise<PackResult> {
  const out = resolve(outFile);
  assertNewOutput(directory, out);
  const bundle = new DirectoryBundle(await UntrustedDirectory.open(directory));
  let file: NewTarFile | undefined;
  try {
    const parts = await readUnverified(bundle);
    const expected = expectedBlobs(parts.entries);
    await using blobs = await bundle.openBlobs();
    const bytes = blobs.names.reduce((sum, digest) => sum + (expected.get(digest) ?? 0), 0);
    assertRoom(out, bytes);
    file = await NewTarFile.create(out);
    const tar = writeTar(members(parts, blobs, expected), compareBundleNames);
    for await (const piece of encrypt(tar)) await file.write(piece);
    const written = await file.finish();
    return { ...written, blobs: blobs.names.length, missing: expected.size - blobs.names.length };
  } finally {
    await file?.discard();
    await bundle.close();
  }
}

async function* members(
  parts: UnverifiedParts,
  blobs: BlobDirectory,
  expected: ReadonlyMap<string, number>,
): AsyncGenerator<TarFile> {
  yield* leadingMembers(parts);
  for (const digest of blobs.names) {
    if (!expected.has(digest)) throw untrusted('BLOB_UNLISTED', `the blob ${digest} is not in the index`);
    await using file = await blobs.open(digest);
    if (file.size !== expected.get(digest)) throw mismatch(digest);
    yield { name: blobName(digest), size: file.size, body: verified(file.chunks(), digest) };
  }
}

type MemoryFile = TarFile & { readonly body: readonly [Uint8Array] };

/** What every tar of a bundle begins with, whichever blobs follow. */
export function* leadingMembers({ head, index }: Pick<UnverifiedParts, 'head' | 'index'>): Generator<MemoryFile> {
  yield inMemory(ENVELOPE_NAME, head.envelope);
  for (const { version, bytes } of head.rootChain) yield inMemory(rootName(version), bytes);
  yield inMemory(INDEX_NAME, index);
}

function inMemory(name: string, bytes: Uint8Array): MemoryFile {
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
