import { closeSync, existsSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { BundleKind } from '../bundle/format.ts';
import { expectedBlobs, type IndexEntry } from '../bundle/index-lines.ts';
import { namesBetween } from '../bundle/volumes/volume-names.ts';
import type { Digest } from '../core/digest.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { heldBlobs } from './held-blobs-io.ts';
import { GLANCE_BYTES, joinedPath } from './joined-files-io.ts';
import type { DataLayout } from './layout.ts';
import { newestPartial, payloadOfPartial } from './partial-io.ts';
import { isNoteName, type PartialNotes, readNotes } from './partial-notes-io.ts';
import type { InstallState } from './state.ts';

/** A bundle whose statement was verified and of which some files are here, since an apply was interrupted. */
export type WaitingBundle = {
  readonly payload: Digest;
  /** Of its files, as they lie here. */
  readonly bytes: number;
  /** What it is; absent where that was lost. */
  readonly about?: AboutWaiting;
};

/** Nobody has hashed again what is here: the next apply does. */
export type AboutWaiting = {
  readonly kind: BundleKind;
  readonly channel: string;
  readonly seq: number;
  /** A newer one was accepted on its channel since: without a downgrade statement it would be refused. */
  readonly superseded: boolean;
  /** Of the whole bundle. */
  readonly blobs: number;
  /** What is neither here nor in a bundle that is active or was before; the volumes by what their names leave out. */
  readonly lacking: { readonly blobs: number; readonly bytes: number; readonly volumes: readonly string[] };
  /** Names of the files that were read to their end. */
  readonly volumes: readonly string[];
};

/** @returns one at most: more than one interrupted bundle is not kept @throws DurableError */
export function waitingBundles(layout: DataLayout, state: InstallState): WaitingBundle[] {
  const { staging } = layout;
  try {
    const name = existsSync(staging) ? newestPartial(staging) : undefined;
    if (name === undefined) return [];
    const directory = join(staging, name);
    const payload = payloadOfPartial(name);
    const files = readdirSync(directory).filter((file) => !isNoteName(file));
    const bytes = files.reduce((sum, file) => sum + spaceOf(join(directory, file)), 0);
    const notes = readNotes(directory, payload);
    return [{ payload, bytes, ...(notes === undefined ? {} : { about: about(directory, notes, layout, state) }) }];
  } catch (cause) {
    // Taken away while we looked: an apply has just ended.
    if (errnoOf(cause) === 'ENOENT') return [];
    throw durableErrorFrom(cause, 'look into', staging);
  }
}

function about(
  directory: string,
  { statement, entries, volumes }: PartialNotes,
  layout: DataLayout,
  state: InstallState,
): AboutWaiting {
  const { kind, channel, seq } = statement;
  const expected = expectedBlobs(entries);
  const here = blobsIn(directory, entries);
  const held = heldBlobs(layout, state);
  const lacking = [...expected].filter(([sha256]) => !here.has(sha256) && !held.has(sha256));
  // Blobs are laid out in the order of their digests; what was here before came by no volume.
  const furthest =
    [...here]
      .filter((sha256) => !held.has(sha256))
      .sort()
      .at(-1) ?? '';
  const isCutOff = lacking.some(([sha256]) => sha256 > furthest);
  return {
    kind,
    channel,
    seq,
    superseded: seq < (state.channels.get(channel)?.highest.seq ?? 0),
    blobs: expected.size,
    lacking: {
      blobs: lacking.length,
      bytes: lacking.reduce((sum, [, size]) => sum + size, 0),
      volumes: lacking.length === 0 ? [] : namesBetween(volumes, isCutOff),
    },
    volumes,
  };
}

/** Digests of what seems to be here. */
function blobsIn(directory: string, entries: readonly IndexEntry[]): ReadonlySet<string> {
  const here = new Set<string>();
  for (const [sha256, size] of expectedBlobs(entries)) {
    if (lstatSync(join(directory, sha256), { throwIfNoEntry: false })?.size === size) here.add(sha256);
  }
  const joined = entries.flatMap(({ chunks }) => (chunks === undefined ? [] : [chunks]));
  for (const [number, chunks] of joined.entries()) {
    const path = joinedPath(directory, number);
    if (!existsSync(path)) continue;
    const fd = openSync(path, 'r');
    try {
      let from = 0;
      for (const { sha256, size } of chunks) {
        if (!isHole(fd, from, size)) here.add(sha256);
        from += size;
      }
    } finally {
      closeSync(fd);
    }
  }
  return here;
}

function isHole(fd: number, from: number, size: number): boolean {
  const glance = new Uint8Array(Math.min(GLANCE_BYTES, size));
  return readSync(fd, glance, 0, glance.length, from) === 0 || glance.every((byte) => byte === 0);
}

/** A file in chunks has its full size from the start, and holes where chunks are lacking. */
function spaceOf(path: string): number {
  const { size, blocks } = lstatSync(path);
  return Math.min(size, blocks * 512);
}
