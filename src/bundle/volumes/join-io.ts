import { join, resolve } from 'node:path';
import { createDirectoryDurably, removeAnyway, temporaryName, writeFileDurably } from '../../durable/files-io.ts';
import { directoryBlobSink } from '../blob-store-io.ts';
import { untrusted } from '../errors.ts';
import { BLOBS_DIRECTORY, BLOBS_HASH, ENVELOPE_NAME, INDEX_NAME, ROOT_DIRECTORY, rootName } from '../format.ts';
import { blobsText, expectedBlobs } from '../index-lines.ts';
import { readUnverified } from '../inspect-io.ts';
import { assertNewOutput } from '../output-io.ts';
import { type PackResult, packBundle } from '../pack-io.ts';
import type { Decrypt } from '../read-io.ts';
import { assertRoom } from '../room-io.ts';
import { watchedSink } from '../watched-sink.ts';
import { volumeAt } from './open-volumes-io.ts';
import { VolumeSet } from './volume-set.ts';

/**
 * Puts volumes together into the one tar that `packBundle` makes of the bundle. Needs room for the blobs twice while
 * it works. The tar appears complete and durable, or not at all.
 * @param paths at least one, in any order @param watch may throw to end the work; told the bytes of each piece
 * @throws BundleError VOLUMES_INCOMPLETE, BLOB_MISMATCH, VOLUME_FOREIGN, VOLUME_REFUSED, VOLUME_UNREADABLE; as
 *   `packBundle`
 */
export async function joinVolumes(
  paths: readonly string[],
  outFile: string,
  watch: (bytes: number, total: number) => void = () => undefined,
  decrypt?: Decrypt,
): Promise<PackResult> {
  const out = resolve(outFile);
  const [first = '', ...others] = paths;
  assertNewOutput(first, out);
  const volumes = new VolumeSet([volumeAt(first, { decrypt }), ...others.map((path) => volumeAt(path, { decrypt }))]);
  const temporary = temporaryName(out);
  try {
    const { head, index, entries } = await readUnverified(volumes);
    const expected = expectedBlobs(entries);
    const total = [...expected.values()].reduce((sum, size) => sum + size, 0);
    assertRoom(out, 2 * total, total);
    createDirectoryDurably(join(temporary, ROOT_DIRECTORY));
    writeFileDurably(join(temporary, ENVELOPE_NAME), head.envelope);
    for (const { version, bytes } of head.rootChain) writeFileDurably(join(temporary, rootName(version)), bytes);
    writeFileDurably(join(temporary, INDEX_NAME), index);
    // Only on the way into the tar: that one is made durable.
    const sink = directoryBlobSink(join(temporary, BLOBS_DIRECTORY, BLOBS_HASH), { durable: false });
    const { missing, mismatched } = await volumes.readBlobs(
      expected,
      watchedSink(sink, (bytes) => watch(bytes, total)),
    );
    if (mismatched.length > 0)
      throw untrusted('BLOB_MISMATCH', `${blobsText(entries, mismatched)} damaged in every volume`);
    if (missing.length > 0)
      throw untrusted('VOLUMES_INCOMPLETE', `${blobsText(entries, missing)} in none of the volumes`);
    return await packBundle(temporary, out);
  } finally {
    await volumes.close();
    removeAnyway(temporary);
  }
}
