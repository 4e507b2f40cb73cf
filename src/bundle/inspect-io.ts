import { encodeHex } from '../core/bytes.ts';
import { type Digest, sha256 } from '../core/digest.ts';
import { type Envelope, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import type { KeyId } from '../core/keys.ts';
import type { BlobSink } from './blob-receiver.ts';
import type { DiffSide } from './diff.ts';
import { untrusted } from './errors.ts';
import { BUNDLE_PAYLOAD_TYPE, MAX_INDEX_BYTES } from './format.ts';
import { expectedBlobs, type IndexEntry, parseIndex } from './index-lines.ts';
import { type Decrypt, openBundle } from './read-io.ts';
import type { BundleHead, BundleReader, Transport } from './reader.ts';
import { type BundleStatement, parseStatement } from './statement.ts';

/** What a bundle says of itself. None of it is verified. */
export type BundleInspection = {
  readonly transport: Transport;
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
export async function inspectBundle(path: string, decrypt?: Decrypt): Promise<BundleInspection> {
  const reader = await openBundle(path, decrypt);
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
  const { head, envelope, statement, entries } = await readUnverified(reader);
  return {
    transport: reader.transport,
    payload: payloadDigest(envelope),
    statement,
    entries,
    claimedSigners: envelope.signatures.map(({ keyid }) => keyid),
    rootVersions: head.rootChain.map(({ version }) => version),
  };
}

/** What precedes the blobs: held to its own statement, and to nothing else. */
export type UnverifiedParts = {
  readonly head: BundleHead;
  readonly envelope: Envelope;
  readonly statement: BundleStatement;
  readonly index: Uint8Array;
  readonly entries: readonly IndexEntry[];
};

/**
 * Reads a bundle up to its blobs, for who handles bundles without believing them.
 * @throws BundleError, ArchiveError, CoreError; BundleError INDEX_MISMATCH when the index is not the statement's
 */
export async function readUnverified(reader: BundleReader): Promise<UnverifiedParts> {
  const head = await reader.readHead();
  const envelope = parseEnvelope(head.envelope, BUNDLE_PAYLOAD_TYPE);
  const statement = parseStatement(envelope.payload);
  const index = await reader.readIndex(Math.min(statement.index.size, MAX_INDEX_BYTES));
  if (encodeHex(sha256(index)) !== statement.index.sha256) {
    throw untrusted('INDEX_MISMATCH', 'its index is not the one that its statement names: one of the two was changed');
  }
  const entries = parseIndex(index, { lines: statement.index.lines, bytes: statement.bytes });
  return { head, envelope, statement, index, entries };
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
