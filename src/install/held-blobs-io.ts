import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { READ_BYTES } from '../archive/file-chunks-io.ts';
import type { BlobSink, BlobSlot } from '../bundle/blob-receiver.ts';
import type { IndexEntry } from '../bundle/index-lines.ts';
import { DaemonEyeError } from '../core/errors.ts';
import type { DataLayout } from './layout.ts';
import type { InstallState } from './state.ts';
import { openStoredBundle } from './stored-bundle-io.ts';

/** Where a blob's bytes lie in a file of a bundle that is here. */
export type BlobPlace = { readonly path: string; readonly from: number; readonly size: number };

/** By digest, hex. */
export type HeldBlobs = ReadonlyMap<string, BlobPlace>;

/**
 * Where blobs that a delta leaves out may be found: in the files of bundles that are active, or were before. A bundle
 * that can't be opened is passed over: whoever needs it says so.
 */
export function heldBlobs(layout: DataLayout, state: InstallState): HeldBlobs {
  const places = new Map<string, BlobPlace>();
  for (const [channel, { active, previous }] of state.channels) {
    for (const held of previous === undefined ? [active] : [active, previous]) {
      try {
        const { entries, files } = openStoredBundle(layout, channel, held);
        for (const [sha256, place] of entries.flatMap((entry) => placesOf(entry, files))) places.set(sha256, place);
      } catch (error) {
        if (!(error instanceof DaemonEyeError)) throw error;
      }
    }
  }
  return places;
}

function placesOf(entry: IndexEntry, files: string): readonly (readonly [string, BlobPlace])[] {
  const path = join(files, ...entry.path.split('/'));
  let from = 0;
  return (entry.chunks ?? [entry]).map(({ sha256, size }) => {
    const place = { path, from, size };
    from += size;
    return [sha256, place] as const;
  });
}

/**
 * Copies the wanted blobs that are here into the sink. What was changed since it was applied is not taken.
 * @param wanted digest to size
 * @returns those that the sink has now
 * @throws whatever the sink throws
 */
export async function takeHeldBlobs(
  places: HeldBlobs,
  wanted: ReadonlyMap<string, number>,
  sink: BlobSink,
): Promise<ReadonlySet<string>> {
  const taken = new Set<string>();
  for (const [sha256, size] of wanted) {
    const place = places.get(sha256);
    if (place !== undefined && place.size === size && (await take(sha256, place, sink))) taken.add(sha256);
  }
  return taken;
}

async function take(sha256: string, place: BlobPlace, sink: BlobSink): Promise<boolean> {
  const slot = await sink.open(sha256, place.size);
  try {
    if (await copies(sha256, place, slot)) {
      await slot.commit();
      return true;
    }
  } catch (cause) {
    await slot.discard();
    throw cause;
  }
  await slot.discard();
  return false;
}

/** @returns whether the bytes are still those of the digest */
async function copies(sha256: string, { path, from, size }: BlobPlace, slot: BlobSlot): Promise<boolean> {
  // Gone, or not for us to read: like one that was never here.
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(() => undefined);
  if (file === undefined) return false;
  await using _ = file;
  const hash = createHash('sha256');
  const buffer = new Uint8Array(Math.min(READ_BYTES, size));
  for (let done = 0; done < size; ) {
    const read = file.read(buffer, 0, Math.min(buffer.length, size - done), from + done);
    const bytesRead = await read.then(
      (result) => result.bytesRead,
      () => 0,
    );
    if (bytesRead === 0) return false;
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await slot.write(piece);
    done += bytesRead;
  }
  return hash.digest('hex') === sha256;
}
