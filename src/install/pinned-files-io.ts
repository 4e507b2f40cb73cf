import { lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DiffSide } from '../bundle/diff.ts';
import { encodeHex } from '../core/bytes.ts';
import { sha256 } from '../core/digest.ts';
import { durableErrorFrom } from '../durable/errors.ts';
import { createDirectoryDurably, writeFileDurably } from '../durable/files-io.ts';
import { MAX_PINNED_BYTES, parsePinnedFilePath } from '../verify/release-pins.ts';
import type { ReleasePin, TrustRoot } from '../verify/root-document.ts';
import { InstallError, tampered } from './errors.ts';
import type { DataLayout } from './layout.ts';

/**
 * Stores the pinned files that a verified bundle of kind trust brings, by their digest, and removes those that no pin
 * names any more. They lie apart from the bundle: a later one need not bring again what is here.
 * @param root the newest that judges here
 * @throws DurableError; InstallError STATE_TAMPERED
 */
export function storePinnedFiles(
  layout: DataLayout,
  root: TrustRoot,
  { statement, entries, read }: Pick<DiffSide, 'statement' | 'entries' | 'read'>,
): void {
  if (statement.kind !== 'trust') return;
  const pinned = new Set([...root.releases.values()].map((pin) => pin.sha256));
  const files = entries.filter(({ path }) => pinned.has(parsePinnedFilePath(path) ?? ''));
  if (files.length > 0) createDirectoryDurably(layout.releases);
  for (const entry of files) {
    const bytes = read(entry);
    if (bytes !== undefined) writeFileDurably(join(layout.releases, entry.sha256), bytes, { mode: 0o644 });
  }
  for (const name of storedNames(layout)) {
    if (!pinned.has(name)) rmSync(join(layout.releases, name), { recursive: true, force: true });
  }
}

function storedNames({ releases }: DataLayout): readonly string[] {
  return lstatSync(releases, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(releases) : [];
}

/** Reads the bytes that a pin names. @throws InstallError PIN_MISSING where they are not, and others */
export type ReadPin = (name: string, pin: ReleasePin) => Uint8Array;

/** Those that trust bundles brought here. */
export function readPinsOf(layout: DataLayout): ReadPin {
  return (name, pin) => readPinnedFile(layout, name, pin);
}

/** Where nothing that is pinned is kept. */
export const readNoPins: ReadPin = (name) => {
  throw new InstallError(
    'PIN_MISSING',
    `nothing that a trust root pins is kept where this is judged, and ${name} is wanted: judge it in the enclave, or by the directory of the trust root`,
  );
};

/**
 * The bytes of a pinned file, hashed now: what lies on the disk may have been swapped since it was stored.
 * @param name of the pin, for sentences
 * @throws InstallError PIN_MISSING when it was never brought here, STATE_TAMPERED when it is another; DurableError
 */
export function readPinnedFile(layout: DataLayout, name: string, pin: ReleasePin): Uint8Array {
  const path = join(layout.releases, pin.sha256);
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new InstallError(
      'PIN_MISSING',
      `the file that ${name} is pinned to (sha256:${pin.sha256}) is not here: apply a trust bundle that holds it`,
    );
  }
  const changed = (how: string): InstallError =>
    tampered(`${path}, which ${name} is pinned to, ${how}: apply the trust bundle that holds it again`);
  if (!stat.isFile() || stat.size > MAX_PINNED_BYTES) throw changed('is no such file');
  const bytes = readBytes(path);
  if (encodeHex(sha256(bytes)) !== pin.sha256) throw changed('is not the pinned file');
  return bytes;
}

function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw durableErrorFrom(cause, 'read the pinned file', path);
  }
}
