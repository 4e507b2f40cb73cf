import { resolve } from 'node:path';
import { encodeTarHeader, TAR_BLOCK, TAR_END_BYTES, tarPadding } from '../../archive/tar-header.ts';
import { count } from '../../core/wording.ts';
import { removeAnyway } from '../../durable/files-io.ts';
import type { BlobSink } from '../blob-receiver.ts';
import { BundleError, untrusted } from '../errors.ts';
import { blobName } from '../format.ts';
import { expectedBlobs } from '../index-lines.ts';
import { readUnverified, type UnverifiedParts } from '../inspect-io.ts';
import { KeptTarFile } from '../kept-tar-file-io.ts';
import { assertNewOutput, assertOutside, foundAt } from '../output-io.ts';
import { leadingMembers } from '../pack-io.ts';
import { openBundle } from '../read-io.ts';
import { assertRoom } from '../room-io.ts';
import { NewTarFile, type WrittenFile } from '../tar-file-io.ts';
import { volumeName } from './volume-names.ts';

export type CutOptions = {
  readonly signal?: AbortSignal;
  /** Told with every piece: bytes of blobs gone through so far, and in all. */
  readonly progress?: (done: number, total: number) => void;
};

export type SplitOptions = CutOptions & {
  /** The most bytes a volume may have. */
  readonly size: number;
  /** Only these, by number from 1: to make a lost or damaged one again. Default: all. */
  readonly only?: ReadonlySet<number>;
};

export type Volume = WrittenFile & {
  /** From 1. */
  readonly number: number;
  readonly file: string;
  readonly blobs: number;
  /** An earlier run left it, the same to the last byte: it was not written again, only read. */
  readonly kept?: true;
};

export type SplitResult = {
  readonly volumes: readonly Volume[];
  /** How many the set has, whatever was asked for. */
  readonly count: number;
  /** Blobs of the index that the source doesn't hold: it is a volume or a delta itself. */
  readonly missing: number;
};

/**
 * Cuts a bundle into volumes: each is a tar with the whole head and index, and some of the blobs, in the order of
 * their digests. The same bundle and size give the same volumes, so a lost one is made again by its number.
 * What an interrupted run left is compared and kept, so that the next one completes the set.
 * @param source of the bundle, a directory or tar; every blob is hashed on the way @param prefix volumes are
 *   `<prefix>.001` and so on; each appears complete, durable and read back, or, when anything fails, none of them
 * @throws BundleError SPLIT_SIZE when the largest blob does not fit, or a number is not one of the set; OUTPUT_EXISTS,
 *   OUTPUT_INSIDE_SOURCE, OUTPUT_SPACE, BLOB_MISMATCH, PACK_MISMATCH; as `openBundle` and `BundleReader`; DurableError
 */
export async function splitBundle(source: string, prefix: string, options: SplitOptions): Promise<SplitResult> {
  const out = resolve(prefix);
  return cut(source, { ...options, nameOf: (number) => volumeName(out, number), leaveOut: new Set(), keep: true });
}

/**
 * Writes a bundle as one tar without the blobs that its reader holds already: a delta.
 * @param leaveOut digests, hex
 * @returns the file, and how many blobs of the index it does not hold
 * @throws as {@link splitBundle}
 */
export async function writeDelta(
  source: string,
  out: string,
  leaveOut: ReadonlySet<string>,
  options: CutOptions = {},
): Promise<Volume & { readonly leftOut: number }> {
  const file = resolve(out);
  const cutting = { ...options, size: Number.POSITIVE_INFINITY, nameOf: () => file, leaveOut, keep: false };
  const { volumes, leftOut, missing } = await cut(source, cutting);
  const [delta] = volumes;
  if (delta === undefined) throw new Error('a bundle is at least one volume');
  if (missing > 0) {
    removeAnyway(file);
    const message = `${count(missing, 'blob')} are neither in the bundle nor held by the enclave: take the whole bundle`;
    throw new BundleError('VOLUMES_INCOMPLETE', message, { fault: 'untrusted' });
  }
  return { ...delta, leftOut };
}

type Cutting = SplitOptions & {
  readonly nameOf: (number: number) => string;
  readonly leaveOut: ReadonlySet<string>;
  /** What is there already and the same need not be written again; otherwise nothing may be there. */
  readonly keep: boolean;
};

async function cut(source: string, cutting: Cutting): Promise<SplitResult & { readonly leftOut: number }> {
  const { size, only, nameOf, leaveOut } = cutting;
  const reader = await openBundle(source);
  let volumes: VolumeWriter | undefined;
  try {
    const parts = await readUnverified(reader);
    const expected = expectedBlobs(parts.entries);
    const wanted = [...expected].filter(([sha256]) => !leaveOut.has(sha256)).map(([, bytes]) => bytes);
    const total = wanted.reduce((sum, bytes) => sum + bytes, 0);
    const least =
      leadingBytes(parts) + TAR_END_BYTES + wanted.reduce((most, bytes) => Math.max(most, memberBytes(bytes)), 0);
    if (least > size) {
      const message = `its index and its largest piece need ${least} bytes a volume, more than ${size}`;
      throw new BundleError('SPLIT_SIZE', message, { fault: 'usage' });
    }
    const first = nameOf(Math.min(...(only ?? [1])));
    if (cutting.keep) assertOutside(source, first);
    else assertNewOutput(source, first);
    if (only === undefined) assertRoom(first, Math.max(0, total - bytesThere(nameOf)), Math.min(total, size));
    volumes = new VolumeWriter(source, parts, cutting, total);
    const { missing, mismatched } = await reader.readBlobs(expected, volumes, leaveOut);
    if (mismatched.length > 0)
      throw untrusted('BLOB_MISMATCH', `${count(mismatched.length, 'blob')} are not as signed`);
    return { ...(await volumes.end()), missing: missing.length, leftOut: expected.size - wanted.length };
  } catch (thrown) {
    await volumes?.discard();
    throw thrown;
  } finally {
    await reader.close();
  }
}

/** What an earlier run left need not be written again; whether it is that is seen when it is compared. */
function bytesThere(nameOf: (number: number) => string): number {
  let bytes = 0;
  for (let number = 1; ; number += 1) {
    const found = foundAt(nameOf(number));
    if (found === undefined) return bytes;
    bytes += found.size;
  }
}

function memberBytes(size: number): number {
  return TAR_BLOCK + size + tarPadding(size);
}

function leadingBytes(parts: UnverifiedParts): number {
  return [...leadingMembers(parts)].reduce((sum, { size }) => sum + memberBytes(size), 0);
}

/** Takes blobs in the order of their digests and starts a new volume when the next does not fit. */
class VolumeWriter implements BlobSink {
  readonly #source: string;
  readonly #parts: UnverifiedParts;
  readonly #options: Cutting;
  readonly #total: number;
  readonly #written: Volume[] = [];
  #done = 0;
  #number = 0;
  #bytes = 0;
  #blobs = 0;
  #file: NewTarFile | KeptTarFile | undefined;

  constructor(source: string, parts: UnverifiedParts, options: Cutting, total: number) {
    this.#source = source;
    this.#parts = parts;
    this.#options = options;
    this.#total = total;
  }

  async open(sha256: string, size: number): ReturnType<BlobSink['open']> {
    const member = memberBytes(size);
    if (this.#number === 0 || this.#bytes + member + TAR_END_BYTES > this.#options.size) await this.#nextVolume();
    this.#bytes += member;
    this.#blobs += 1;
    const file = this.#file;
    await file?.write(encodeTarHeader(blobName(sha256), size));
    let left = size;
    const gone = async (bytes: number): Promise<void> => {
      this.#options.signal?.throwIfAborted();
      this.#done += bytes;
      this.#options.progress?.(this.#done, this.#total);
      left -= bytes;
      if (left === 0) await file?.write(new Uint8Array(tarPadding(size)));
    };
    return {
      write: async (chunk) => {
        await file?.write(chunk);
        await gone(chunk.length);
      },
      commit: async () => undefined,
      // The whole set is given up then.
      discard: async () => undefined,
    };
  }

  /** After the last blob. @throws BundleError SPLIT_SIZE for a number that the set doesn't have */
  async end(): Promise<Pick<SplitResult, 'volumes' | 'count'>> {
    // A bundle of no files is one volume.
    if (this.#number === 0) await this.#nextVolume();
    await this.#finishVolume();
    const beyond = [...(this.#options.only ?? [])].find((number) => number > this.#number);
    if (beyond === undefined) return { volumes: this.#written, count: this.#number };
    const message = `there is no volume ${beyond}: at this size the bundle has ${this.#number}`;
    throw new BundleError('SPLIT_SIZE', message, { fault: 'usage' });
  }

  async discard(): Promise<void> {
    await this.#file?.discard();
    for (const { file, kept } of this.#written) if (kept === undefined) removeAnyway(file);
  }

  async #nextVolume(): Promise<void> {
    await this.#finishVolume();
    this.#number += 1;
    this.#bytes = leadingBytes(this.#parts);
    this.#blobs = 0;
    if (this.#options.only?.has(this.#number) === false) return;
    const file = this.#options.nameOf(this.#number);
    if (this.#options.keep && foundAt(file) !== undefined) this.#file = await KeptTarFile.open(file);
    else {
      assertNewOutput(this.#source, file);
      this.#file = await NewTarFile.create(file);
    }
    for (const { name, size, body } of leadingMembers(this.#parts)) {
      await this.#file.write(encodeTarHeader(name, size));
      await this.#file.write(body[0]);
      await this.#file.write(new Uint8Array(tarPadding(size)));
    }
  }

  async #finishVolume(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    await file.write(new Uint8Array(TAR_END_BYTES));
    const written = await file.finish();
    this.#file = undefined;
    const name = this.#options.nameOf(this.#number);
    const kept = file instanceof KeptTarFile ? ({ kept: true } as const) : {};
    this.#written.push({ ...written, number: this.#number, file: name, blobs: this.#blobs, ...kept });
  }
}
