import { encodeHex } from '../core/bytes.ts';
import { type Digest, sha256 } from '../core/digest.ts';
import { parseEnvelope, payloadDigest } from '../core/dsse.ts';
import type { KeyId } from '../core/keys.ts';
import type { BlobSink } from './blob-receiver.ts';
import type { DiffSide } from './diff.ts';
import { untrusted } from './errors.ts';
import { BUNDLE_PAYLOAD_TYPE, MAX_INDEX_BYTES } from './format.ts';
import { expectedBlobs, type IndexEntry, parseIndex } from './index-lines.ts';
import { openBundle } from './read-io.ts';
import type { BundleReader } from './reader.ts';
import { type BundleStatement, parseStatement } from './statement.ts';

/** What a bundle says of itself. None of it is verified. */
export type BundleInspection = {
  readonly transport: 'directory' | 'tar';
  readonly payload: Digest;
  readonly statement: BundleStatement;
  readonly entries: readonly IndexEntry[];
  /** Keyids that signatures claim. */
  readonly claimedSigners: readonly KeyId[];
  /** Versions of the trust root it carries. */
  readonly rootVersions: readonly number[];
};

/**
 * Looks into a bundle without trusting it; blobs are not read.
 * @throws BundleError, ArchiveError, CoreError when it is not a bundle or can't be read; INDEX_MISMATCH when its index
 *   is not the one that its own statement names
 */
export async function inspectBundle(path: string): Promise<BundleInspection> {
  const reader = await openBundle(path);
  try {
    return await inspect(reader);
  } finally {
    await reader.close();
  }
}

/**
 * Looks into a bundle for a comparison, its files too where `wanted`: they are held to their digests, kept in memory,
 * and missing ones are no error.
 * @throws as {@link inspectBundle}
 */
export async function inspectForDiff(path: string, wanted: (statement: BundleStatement) => boolean): Promise<DiffSide> {
  const reader = await openBundle(path);
  try {
    const { payload, statement, entries, claimedSigners, rootVersions } = await inspect(reader);
    const blobs = new Map<string, Uint8Array>();
    if (wanted(statement)) await reader.readBlobs(expectedBlobs(entries), memorySink(blobs));
    const root = rootVersions.at(-1) ?? 0;
    return { payload, statement, entries, signers: claimedSigners, root, read: ({ sha256 }) => blobs.get(sha256) };
  } finally {
    await reader.close();
  }
}

async function inspect(reader: BundleReader): Promise<BundleInspection> {
  const { envelope: bytes, rootChain } = await reader.readHead();
  const envelope = parseEnvelope(bytes, BUNDLE_PAYLOAD_TYPE);
  const statement = parseStatement(envelope.payload);
  const index = await reader.readIndex(Math.min(statement.index.size, MAX_INDEX_BYTES));
  if (encodeHex(sha256(index)) !== statement.index.sha256) {
    throw untrusted('INDEX_MISMATCH', 'its index is not the one that its statement names: one of the two was changed');
  }
  return {
    transport: reader.transport,
    payload: payloadDigest(envelope),
    statement,
    entries: parseIndex(index, { lines: statement.index.lines, bytes: statement.bytes }),
    claimedSigners: envelope.signatures.map(({ keyid }) => keyid),
    rootVersions: rootChain.map(({ version }) => version),
  };
}

/** Keeps blobs whose bytes are those of their names. */
function memorySink(blobs: Map<string, Uint8Array>): BlobSink {
  return {
    async open(sha256) {
      const pieces: Uint8Array[] = [];
      return {
        // A copy: the reader uses its buffer again.
        write: async (chunk) => void pieces.push(new Uint8Array(chunk)),
        commit: async () => void blobs.set(sha256, new Uint8Array(Buffer.concat(pieces))),
        discard: async () => undefined,
      };
    },
  };
}
