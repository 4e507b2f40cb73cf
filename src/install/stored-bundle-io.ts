import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE_PAYLOAD_TYPE, ENVELOPE_NAME, INDEX_NAME, rootName } from '../bundle/format.ts';
import { type IndexEntry, parseIndex } from '../bundle/index-lines.ts';
import { type BundleStatement, parseStatement } from '../bundle/statement.ts';
import { encodeHex } from '../core/bytes.ts';
import { type Digest, sha256 } from '../core/digest.ts';
import { type Envelope, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { DaemonEyeError, messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { durableErrorFrom, errnoOf } from '../durable/errors.ts';
import type { RootFile } from '../verify/root-chain.ts';
import type { TrustRoot } from '../verify/root-document.ts';
import { tampered } from './errors.ts';
import { channelDirectory, type DataLayout, FILES_DIRECTORY } from './layout.ts';
import { type RevokedBundle, revokedBundles } from './standing.ts';
import type { HeldBundle, InstallState } from './state.ts';

/** A bundle that the install log names, checked from the log's digest down. */
export type StoredBundle = {
  readonly channel: string;
  readonly payload: Digest;
  readonly statement: BundleStatement;
  readonly envelope: Envelope;
  /** The envelope as it is stored. */
  readonly envelopeBytes: Uint8Array;
  /** index.jsonl as it is stored. */
  readonly index: Uint8Array;
  readonly entries: readonly IndexEntry[];
  /** Where its files lie at their install paths; not looked at yet. */
  readonly files: string;
  /** The root chain that it carried, as it is stored; not verified. */
  readonly readRoots: () => readonly RootFile[];
  /**
   * The bytes of one of its files. @throws InstallError STATE_TAMPERED when they are not the signed ones; DurableError
   */
  readonly read: (entry: IndexEntry) => Uint8Array;
};

/** @throws InstallError STATE_TAMPERED; DurableError */
export function openStoredBundle(layout: DataLayout, channel: string, held: HeldBundle): StoredBundle {
  const directory = join(channelDirectory(layout, channel), String(held.seq));
  try {
    const envelopeBytes = readPlain(join(directory, ENVELOPE_NAME));
    const envelope = parseEnvelope(envelopeBytes, BUNDLE_PAYLOAD_TYPE);
    if (payloadDigest(envelope) !== held.payload) throw tampered('its statement is not the one the log names');
    const statement = parseStatement(envelope.payload);
    const { lines, sha256: signed } = statement.index;
    const index = readPlain(join(directory, INDEX_NAME));
    if (encodeHex(sha256(index)) !== signed) throw tampered('its index is not the signed one');
    const entries = parseIndex(index, { lines, bytes: statement.bytes });
    const files = join(directory, FILES_DIRECTORY);
    const read = (entry: IndexEntry) => readSigned(files, entry);
    const stored = { envelope, envelopeBytes, index, entries, files };
    return { channel, payload: held.payload, statement, ...stored, read, readRoots: () => readRoots(directory) };
  } catch (cause) {
    if (!isDamage(cause)) throw durableErrorFrom(cause, 'read the bundle in', directory);
    throw tampered(`the bundle in ${escapeForTerminal(directory)} was changed: ${messageOf(cause)}`, { cause });
  }
}

/** The active bundles of one kind, in the order of their channels' bytes. */
export type ActiveBundles = {
  /** Those that the trust root stands behind. */
  readonly believed: readonly StoredBundle[];
  /** Those that it has taken back; nothing of them may be loaded. */
  readonly revoked: readonly RevokedBundle[];
};

/** @param root the newest that is pinned here @throws as {@link openStoredBundle} */
export function activeBundlesOf(
  kind: BundleStatement['kind'],
  layout: DataLayout,
  state: InstallState,
  root: TrustRoot,
): ActiveBundles {
  // The first segment of a channel is the kind of every bundle on it (verify/checks/signatures.ts).
  const isOfKind = (channel: string) => channel.split('/')[0] === kind;
  const revoked = revokedBundles(root, state).filter(({ channel }) => isOfKind(channel));
  const believed = [...state.channels]
    .filter(([channel]) => isOfKind(channel) && !revoked.some((one) => one.channel === channel))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([channel, { active }]) => openStoredBundle(layout, channel, active))
    .filter(({ statement }) => statement.kind === kind);
  return { believed, revoked };
}

function readSigned(files: string, { path, sha256: digest }: IndexEntry): Uint8Array {
  const file = join(files, ...path.split('/'));
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

function readRoots(directory: string): readonly RootFile[] {
  const roots: RootFile[] = [];
  for (let version = 1; existsSync(join(directory, rootName(version))); version += 1)
    roots.push({ version, bytes: readPlain(join(directory, rootName(version))) });
  return roots;
}

function readPlain(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

/** What is gone or not what it was, against what this user may not read or the disk refuses. */
function isDamage(cause: unknown): boolean {
  return cause instanceof DaemonEyeError || ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errnoOf(cause) ?? '');
}
