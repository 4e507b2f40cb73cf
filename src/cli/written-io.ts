import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import type { Medium } from '../bundle/medium.ts';
import { mediumOf } from '../bundle/medium-io.ts';
import { assertReadsBack, type ReadBack } from '../bundle/read-back-io.ts';
import { assertRoom } from '../bundle/room-io.ts';
import { encodeHex } from '../core/bytes.ts';
import { sha256 } from '../core/digest.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { removeAnyway } from '../durable/files-io.ts';
import { createFilesDurably, type NewFile } from './files-io.ts';
import { mediumText } from './render/medium.ts';

/** Where something was written, for the JSON of a command. */
export type Written = { readonly readBack: ReadBack; readonly medium?: Medium };

/** @param file one of those written; all lie beside it @param readBacks how each was read again */
export function writtenTo(file: string, readBacks: readonly ReadBack[]): Written {
  const readBack = readBacks.every((how) => how === 'medium') ? 'medium' : 'cache';
  const medium = mediumOf(file);
  return { readBack, ...(medium === undefined ? {} : { medium }) };
}

/** Lines for a person at the stick. What is not known to be so is not said. */
export function writtenText({ readBack, medium }: Written): string[] {
  const read =
    readBack === 'medium'
      ? "Written through, and read again from the medium itself, past the system's cache."
      : "Written through, and read again, though perhaps from the system's cache: look again on arrival.";
  // What lies on the system's own disk is not for carrying.
  if (medium === undefined || medium.mountPoint === '/') return [read];
  return [read, `Medium: ${mediumText(medium)}. Safe to remove once it is unmounted.`];
}

/**
 * Before any work whose outcome could not be written then.
 * @throws DurableError NOT_FOUND, NO_PERMISSION or READ_ONLY; BundleError OUTPUT_SPACE where not a byte is free
 */
export function assertWritable(paths: readonly string[]): void {
  for (const path of paths) {
    try {
      accessSync(dirname(path), constants.W_OK);
    } catch (cause) {
      throw durableErrorFrom(cause, 'write into', dirname(path));
    }
    assertRoom(path, 1, 1, ADVICE);
  }
}

const ADVICE = 'make room there, or choose another place';

/**
 * Creates small files for carrying, on one medium or on several: room first, then all of them or none, written through,
 * and each read again and compared.
 * @returns of each medium how its files were read again
 * @throws BundleError OUTPUT_SPACE or PACK_MISMATCH, then nothing is left of them; as `createFilesDurably`
 */
export async function carryFiles(files: readonly NewFile[]): Promise<readonly Written[]> {
  for (const beside of Map.groupBy(files, ({ path }) => dirname(path)).values()) {
    const bytes = beside.reduce((sum, file) => sum + file.bytes.length, 0);
    for (const { path } of beside.slice(0, 1)) assertRoom(path, bytes, bytes, ADVICE);
  }
  createFilesDurably(files);
  try {
    const written: Written[] = [];
    for (const { path, bytes } of files) {
      const digest = encodeHex(sha256(bytes));
      written.push(writtenTo(path, [await assertReadsBack(path, path, digest)]));
    }
    return byMedium(written);
  } catch (thrown) {
    for (const { path } of files) removeAnyway(path);
    throw thrown;
  }
}

function byMedium(written: readonly Written[]): readonly Written[] {
  return [...Map.groupBy(written, ({ medium }) => medium?.mountPoint).values()].map((onIt) => {
    const [first] = onIt;
    return onIt.find(({ readBack }) => readBack === 'cache') ?? (first as Written);
  });
}
