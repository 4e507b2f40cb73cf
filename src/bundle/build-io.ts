import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UntrustedDirectory } from '../archive/directory-io.ts';
import { asOwnTrouble, walkFiles } from '../archive/walk-io.ts';
import { compareUtf8, encodeHex } from '../core/bytes.ts';
import { type Digest, sha256, sha256Digest } from '../core/digest.ts';
import { encodeEnvelope, parseEnvelope } from '../core/dsse.ts';
import { DaemonEyeError } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import {
  createDirectoryDurably,
  renameDurably,
  syncDirectory,
  temporaryName,
  writeFileDurably,
} from '../durable/files-io.ts';
import type { Attestation } from './attestations.ts';
import { BlobStore } from './blob-store-io.ts';
import { type BundleDocument, bundleDocuments } from './documents.ts';
import { BundleError } from './errors.ts';
import { FileBlobs } from './file-blobs-io.ts';
import {
  BLOBS_DIRECTORY,
  BLOBS_HASH,
  BUNDLE_PAYLOAD_TYPE,
  ENVELOPE_NAME,
  INDEX_NAME,
  MAX_ROOT_BYTES,
  MAX_ROOTS,
  ROOT_DIRECTORY,
  ROOT_PAYLOAD_TYPE,
  rootName,
} from './format.ts';
import { encodeIndex, type IndexEntry } from './index-lines.ts';
import { assertNewOutput } from './output-io.ts';
import { type BundleStatement, encodeStatement } from './statement.ts';

/** What the statement will say, and where things are. */
export type BuildInput = Omit<BundleStatement, 'index' | 'bytes' | 'critical'> & {
  /** The directory whose files the bundle installs. */
  readonly source: string;
  /** The bundle's directory; must not exist. */
  readonly out: string;
  /** Envelopes of the trust root: the first is version 1, and so on without gaps. */
  readonly rootChain: readonly Uint8Array[];
  /** Third-party signatures over files, by install path, each list in any order. Not verified here. */
  readonly attestations?: ReadonlyMap<string, readonly Attestation[]>;
  /** Files to be written about the others: {@link SBOM_PATH}, {@link PROVENANCE_PATH}. Only of kind update. */
  readonly documents?: readonly BundleDocument[];
};

export type BuildResult = {
  /** Identity of the bundle: digest of the statement's payload. */
  readonly statement: Digest;
  readonly index: BundleStatement['index'];
  readonly files: number;
  /** Sizes of all files together. */
  readonly bytes: number;
};

const PUBLIC_FILE = 0o644;
const PUBLIC_DIRECTORY = 0o755;
const MAX_FILES = 1024 * 1024;

/**
 * Builds an unsigned bundle. The same files and arguments give the same bytes on any machine: times, owners, umask,
 * directory order and locale leave no trace, a mode is 0755 if its owner may execute and 0644 otherwise, and empty
 * directories are not kept.
 *
 * The bundle appears under its name complete and durable, or not at all.
 * @throws BundleError OUTPUT_EXISTS, OUTPUT_INSIDE_SOURCE or BUILD_INPUT (an argument no statement may have);
 *   ArchiveError (fault `failed`) for a source with links, special files or names against the path rules; DurableError
 */
export async function buildBundle(input: BuildInput): Promise<BuildResult> {
  const { source, rootChain } = input;
  const out = resolve(input.out);
  // Before copying for an hour: a statement with these fields must be possible.
  describe(input, { sha256: encodeHex(sha256(new Uint8Array())), size: 0, lines: 0 }, 0);
  assertRoots(rootChain);
  assertNewOutput(source, out);
  const temporary = temporaryName(out);
  try {
    createDirectoryDurably(temporary, { mode: PUBLIC_DIRECTORY });
    const entries = attesting(await storeFiles(input, temporary), input.attestations);
    const result = writeDocuments(input, entries, temporary);
    syncDirectory(temporary);
    renameDurably(temporary, out);
    return result;
  } catch (thrown) {
    rmSync(temporary, { recursive: true, force: true });
    throw asOwnTrouble(thrown);
  }
}

async function storeFiles(input: BuildInput, bundle: string): Promise<IndexEntry[]> {
  const directory = join(bundle, BLOBS_DIRECTORY, BLOBS_HASH);
  createDirectoryDurably(directory, { mode: PUBLIC_DIRECTORY });
  const blobs = new FileBlobs(new BlobStore(directory, { mode: PUBLIC_FILE, durable: true }));
  const entries: IndexEntry[] = [];
  try {
    await using root = await UntrustedDirectory.open(input.source);
    for await (const { path, open } of walkFiles(root, MAX_FILES)) {
      await using file = await open();
      entries.push({ path, mode: file.executable ? '0755' : '0644', ...(await blobs.add(file)) });
    }
    for (const { path, bytes } of bundleDocuments(input, entries)) {
      entries.push({ path, mode: '0644', ...(await blobs.addBytes(bytes)) });
    }
    await blobs.finish();
    // No empty directories: git and many copying tools would lose them, and they say nothing.
    if (entries.length === 0) rmSync(join(bundle, BLOBS_DIRECTORY), { recursive: true });
    return entries;
  } catch (thrown) {
    await blobs.abandon();
    throw thrown;
  }
}

function attesting(entries: readonly IndexEntry[], attestations: BuildInput['attestations']): readonly IndexEntry[] {
  if (attestations === undefined) return entries;
  const paths = new Set(entries.map(({ path }) => path));
  const stranger = [...attestations.keys()].find((name) => !paths.has(name));
  if (stranger !== undefined) {
    throw new BundleError('BUILD_INPUT', `there is no file "${escapeForTerminal(stranger)}" to be attested`);
  }
  return entries.map((entry) => {
    const own = attestations.get(entry.path) ?? [];
    if (own.length === 0) return entry;
    return { ...entry, attestations: own.toSorted((a, b) => compareUtf8(a.material, b.material)) };
  });
}

function writeDocuments(input: BuildInput, entries: readonly IndexEntry[], bundle: string): BuildResult {
  const mode = PUBLIC_FILE;
  const indexBytes = encodeOwnIndex(entries);
  const index = { sha256: encodeHex(sha256(indexBytes)), size: indexBytes.length, lines: entries.length };
  const bytes = entries.reduce((total, { size }) => total + size, 0);
  const payload = describe(input, index, bytes);
  if (input.rootChain.length > 0) createDirectoryDurably(join(bundle, ROOT_DIRECTORY), { mode: PUBLIC_DIRECTORY });
  input.rootChain.forEach((root, i) => {
    writeFileDurably(join(bundle, rootName(i + 1)), root, { mode });
  });
  writeFileDurably(join(bundle, INDEX_NAME), indexBytes, { mode });
  const envelope = encodeEnvelope({ payloadType: BUNDLE_PAYLOAD_TYPE, payload, signatures: [] });
  writeFileDurably(join(bundle, ENVELOPE_NAME), envelope, { mode });
  return { statement: sha256Digest(payload), index, files: entries.length, bytes };
}

/** What no index may say was asked for by whoever builds: it is no question of trust. */
function encodeOwnIndex(entries: readonly IndexEntry[]): Uint8Array {
  try {
    return encodeIndex(entries);
  } catch (cause) {
    throw cause instanceof BundleError ? inputError(cause) : cause;
  }
}

function describe(input: BuildInput, index: BundleStatement['index'], bytes: number): Uint8Array {
  const { kind, channel, seq, prev, audience, issuedAt, expires, builder, requires } = input;
  const statement = { kind, channel, seq, prev, issuedAt, builder, requires, critical: [], index, bytes };
  try {
    return encodeStatement({
      ...statement,
      // Sorted: the order in which enclaves were named is no information.
      audience: audience.toSorted(),
      ...(expires === undefined ? {} : { expires }),
    });
  } catch (cause) {
    throw inputError(cause);
  }
}

function assertRoots(rootChain: readonly Uint8Array[]): void {
  if (rootChain.length > MAX_ROOTS) throw new BundleError('BUILD_INPUT', `there are over ${MAX_ROOTS} trust roots`);
  for (const bytes of rootChain) {
    try {
      parseEnvelope(bytes, ROOT_PAYLOAD_TYPE, MAX_ROOT_BYTES);
    } catch (cause) {
      throw inputError(cause);
    }
  }
}

function inputError(cause: unknown): unknown {
  return cause instanceof DaemonEyeError ? new BundleError('BUILD_INPUT', cause.message, { cause }) : cause;
}
