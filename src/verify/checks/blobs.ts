import { blobsText, type IndexEntry } from '../../bundle/index-lines.ts';
import { count } from '../../core/wording.ts';
import { VerifyError } from '../errors.ts';

/** What a reader found, by SHA-256 in hex: named blobs that are absent, and present ones whose bytes are others. */
export type BlobFindings = { readonly missing: readonly string[]; readonly mismatched: readonly string[] };

/**
 * Every blob the index names is there and is what its name says.
 * @throws VerifyError BLOB_MISMATCH or BLOB_MISSING, naming the first file concerned and how many there are
 */
export function checkBlobs(entries: readonly IndexEntry[], findings: BlobFindings): string {
  const { missing, mismatched } = findings;
  if (mismatched.length > 0) {
    throw new VerifyError('BLOB_MISMATCH', `${blobsText(entries, mismatched)} not as signed: changed on the way`);
  }
  if (missing.length > 0) throw new VerifyError('BLOB_MISSING', `${blobsText(entries, missing)} missing`);
  return `${count(entries.length, 'file')} with the digests that were signed`;
}
