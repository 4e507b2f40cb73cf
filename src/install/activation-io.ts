import { lstatSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ENVELOPE_NAME, INDEX_NAME, rootName } from '../bundle/format.ts';
import { createDirectoryDurably, renameDurably, syncDirectory, writeFileDurably } from '../durable/files-io.ts';
import { replaceLinkDurably } from '../durable/links-io.ts';
import { tampered } from './errors.ts';
import { ACTIVE_LINK, channelDirectory, type DataLayout, PREVIOUS_LINK } from './layout.ts';
import type { Staging } from './staging-io.ts';
import type { ChannelState, HeldBundle, InstallState } from './state.ts';
import type { StagedBundle } from './verify-io.ts';

/**
 * Moves a staged bundle to `bundles/<channel>/<seq>/`. Nothing uses it there until the log names it.
 * @throws DurableError
 */
export function storeBundle(
  layout: DataLayout,
  channel: string,
  seq: number,
  staged: StagedBundle,
  from: Staging,
): void {
  rmSync(from.blobs, { recursive: true, force: true });
  writeFileDurably(join(from.directory, INDEX_NAME), staged.index, { mode: 0o644 });
  writeHead(from.directory, staged);
  syncDirectory(from.directory);
  const directory = channelDirectory(layout, channel);
  createDirectoryDurably(directory);
  const target = join(directory, String(seq));
  // Left by an apply that was cut off before the log named it; the caller has checked that the log doesn't.
  rmSync(target, { recursive: true, force: true });
  renameDurably(from.directory, target);
}

/**
 * The same bundle, signed anew: it stays where it lies, and takes the new envelope and root chain. Its payload, which is
 * all that the log names, is the same before and after.
 * @throws DurableError
 */
export function storeSignatures(layout: DataLayout, channel: string, seq: number, staged: StagedBundle): void {
  writeHead(join(channelDirectory(layout, channel), String(seq)), staged);
}

function writeHead(directory: string, { envelope, rootChain }: StagedBundle): void {
  writeFileDurably(join(directory, ENVELOPE_NAME), envelope, { mode: 0o644 });
  createDirectoryDurably(join(directory, 'root'), { mode: 0o755 });
  for (const { version, bytes } of rootChain) {
    writeFileDurably(join(directory, rootName(version)), bytes, { mode: 0o644 });
  }
}

/**
 * Makes the links say what the log says, and removes what no link needs. Runs after each entry and whenever the state
 * is opened for writing, so that a crash between the log entry and the links is mended by the next command.
 * @throws InstallError STATE_TAMPERED when an active bundle is gone; DurableError
 */
export function activate(layout: DataLayout, state: InstallState): void {
  createDirectoryDurably(layout.bundles);
  for (const [channel, { active, previous }] of state.channels) {
    const directory = channelDirectory(layout, channel);
    if (lstatSync(join(directory, String(active.seq)), { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw tampered(`the active bundle ${channel} seq ${active.seq} is gone from ${directory}`);
    }
    if (previous !== undefined) pointTo(join(directory, PREVIOUS_LINK), previous);
    pointTo(join(directory, ACTIVE_LINK), active);
  }
  // After the links: going back removes what was active until now, and nobody may find a link that leads nowhere.
  removeUnnamed(layout, state);
}

/** Bundles that are neither active nor previous, and those of an apply that was cut off before the log named it. */
function removeUnnamed(layout: DataLayout, state: InstallState): void {
  const named = new Map([...state.channels].map(([channel, held]) => [channelDirectory(layout, channel), held]));
  for (const name of readdirSync(layout.bundles)) {
    const directory = join(layout.bundles, name);
    const held = named.get(directory);
    if (held === undefined) rmSync(directory, { recursive: true, force: true });
    else removeOthers(directory, held);
  }
}

function removeOthers(directory: string, { active, previous }: ChannelState): void {
  const before = previous === undefined ? [] : [PREVIOUS_LINK, String(previous.seq)];
  const kept = new Set([ACTIVE_LINK, String(active.seq), ...before]);
  for (const name of readdirSync(directory)) {
    if (!kept.has(name)) rmSync(join(directory, name), { recursive: true, force: true });
  }
}

function pointTo(link: string, { seq }: HeldBundle): void {
  if (currentTarget(link) !== String(seq)) replaceLinkDurably(link, String(seq));
}

function currentTarget(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    // Absent, or not a link: replaced either way.
    return undefined;
  }
}
