import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE_PAYLOAD_TYPE, ENVELOPE_NAME, INDEX_NAME } from '../bundle/format.ts';
import { type IndexEntry, parseIndex } from '../bundle/index-lines.ts';
import { type BundleStatement, parseStatement } from '../bundle/statement.ts';
import { encodeHex } from '../core/bytes.ts';
import { type Digest, sha256 } from '../core/digest.ts';
import { type Envelope, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import { tampered } from './errors.ts';
import { channelDirectory, type DataLayout, FILES_DIRECTORY } from './layout.ts';
import type { HeldBundle, InstallState } from './state.ts';

/** A bundle that the install log names, checked from the log's digest down. */
export type StoredBundle = {
  readonly channel: string;
  readonly payload: Digest;
  readonly statement: BundleStatement;
  readonly envelope: Envelope;
  readonly entries: readonly IndexEntry[];
  /**
   * The bytes of one of its files. @throws InstallError STATE_TAMPERED when they are not the signed ones; DurableError
   */
  readonly read: (entry: IndexEntry) => Uint8Array;
};

/** @throws InstallError STATE_TAMPERED; DurableError */
export function openStoredBundle(layout: DataLayout, channel: string, held: HeldBundle): StoredBundle {
  const directory = join(channelDirectory(layout, channel), String(held.seq));
  try {
    const envelope = parseEnvelope(readPlain(join(directory, ENVELOPE_NAME)), BUNDLE_PAYLOAD_TYPE);
    if (payloadDigest(envelope) !== held.payload) throw tampered('its statement is not the one the log names');
    const statement = parseStatement(envelope.payload);
    const { index, bytes } = statement;
    const lines = readPlain(join(directory, INDEX_NAME));
    if (encodeHex(sha256(lines)) !== index.sha256) throw tampered('its index is not the signed one');
    const entries = parseIndex(lines, { lines: index.lines, bytes });
    const read = (entry: IndexEntry) => readSigned(directory, entry);
    return { channel, payload: held.payload, statement, envelope, entries, read };
  } catch (cause) {
    if (!isDamage(cause)) throw durableErrorFrom(cause, 'read the bundle in', directory);
    throw tampered(`the bundle in ${escapeForTerminal(directory)} was changed: ${messageOf(cause)}`, { cause });
  }
}

/** The active bundles of one kind, in the order of their channels' bytes. @throws as {@link openStoredBundle} */
export function activeBundlesOf(
  kind: BundleStatement['kind'],
  layout: DataLayout,
  state: InstallState,
): readonly StoredBundle[] {
  return (
    [...state.channels]
      // The first segment of a channel is the kind of every bundle on it (verify/checks/signatures.ts).
      .filter(([channel]) => channel.split('/')[0] === kind)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([channel, { active }]) => openStoredBundle(layout, channel, active))
      .filter(({ statement }) => statement.kind === kind)
  );
}

function readSigned(directory: string, { path, sha256: digest }: IndexEntry): Uint8Array {
  const file = join(directory, FILES_DIRECTORY, ...path.split('/'));
  let bytes: Uint8Array;
  try {
    bytes = readPlain(file);
  } catch (cause) {
    if (!isDamage(cause)) throw durableErrorFrom(cause, 'read', file);
    throw tampered(`${escapeForTerminal(file)} of an applied bundle is gone`, { cause });
  }
  if (encodeHex(sha256(bytes)) === digest) return bytes;
  throw tampered(`${escapeForTerminal(file)} was changed since its bundle was applied`);
}

function readPlain(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

/** What is gone or not what it was, against what this user may not read or the disk refuses. */
function isDamage(cause: unknown): boolean {
  return cause instanceof DaemonEyeError || ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(cause) ?? '');
}
