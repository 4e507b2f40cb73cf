import type { BlobFindings, BlobSink } from './blob-receiver.ts';

export type RootEnvelope = { readonly version: number; readonly bytes: Uint8Array };

export type BundleHead = {
  readonly envelope: Uint8Array;
  /** By ascending version. */
  readonly rootChain: readonly RootEnvelope[];
};

export type Transport = 'directory' | 'tar' | 'volumes';

/**
 * A bundle being read, once, front to back: head, then index, then blobs. Each step bounds the next, and nothing here
 * decides about trust. What is refused is an ArchiveError or BundleError of fault `untrusted`.
 */
export interface BundleReader {
  readonly transport: Transport;

  /**
   * Envelope and root chain, within the fixed caps.
   * @throws BundleError ENVELOPE_MISSING, UNKNOWN_NAME, ENVELOPE_TOO_LARGE, ROOT_TOO_LARGE or ROOT_TOO_MANY;
   *   ArchiveError for what the container is refused for
   */
  readHead(): Promise<BundleHead>;

  /**
   * The index, unchecked.
   * @param maxBytes what the statement says it has
   * @throws BundleError INDEX_MISSING, INDEX_TOO_LARGE or READ_ORDER; ArchiveError as above
   */
  readIndex(maxBytes: number): Promise<Uint8Array>;

  /**
   * Streams every blob that is there through SHA-256 and into the sink, and goes on after a mismatch to name them all.
   * When it returns, the container was read to its end.
   * @param expected from `expectedBlobs`
   * @param held those that are here already, by digests that were checked: passed over, and not missed
   * @throws BundleError BLOB_UNLISTED, UNKNOWN_NAME or READ_ORDER; ArchiveError as above; whatever the sink throws
   */
  readBlobs(expected: ReadonlyMap<string, number>, sink?: BlobSink, held?: ReadonlySet<string>): Promise<BlobFindings>;

  /** May be called at any time, and twice. */
  close(): Promise<void>;
}
