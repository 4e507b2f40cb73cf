import type { Digest } from '../core/digest.ts';
import { parseEnvelope, payloadDigest } from '../core/dsse.ts';
import type { KeyId } from '../core/keys.ts';
import { BUNDLE_PAYLOAD_TYPE, MAX_INDEX_BYTES } from './format.ts';
import { type IndexEntry, parseIndex } from './index-lines.ts';
import { openBundle } from './read-io.ts';
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
 * @throws BundleError, ArchiveError, CoreError when it is not a bundle or can't be read
 */
export async function inspectBundle(path: string): Promise<BundleInspection> {
  const reader = await openBundle(path);
  try {
    const { envelope: bytes, rootChain } = await reader.readHead();
    const envelope = parseEnvelope(bytes, BUNDLE_PAYLOAD_TYPE);
    const statement = parseStatement(envelope.payload);
    const index = await reader.readIndex(Math.min(statement.index.size, MAX_INDEX_BYTES));
    return {
      transport: reader.transport,
      payload: payloadDigest(envelope),
      statement,
      entries: parseIndex(index, { lines: statement.index.lines, bytes: statement.bytes }),
      claimedSigners: envelope.signatures.map(({ keyid }) => keyid),
      rootVersions: rootChain.map(({ version }) => version),
    };
  } finally {
    await reader.close();
  }
}
