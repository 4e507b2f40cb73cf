import type { IndexEntry } from '../../bundle/index-lines.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
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
    throw new VerifyError('BLOB_MISMATCH', `${named(entries, mismatched)} not as signed: changed on the way`);
  }
  if (missing.length > 0) throw new VerifyError('BLOB_MISSING', `${named(entries, missing)} missing`);
  return `${count(entries.length, 'file')} with the digests that were signed`;
}

function named(entries: readonly IndexEntry[], blobs: readonly string[]): string {
  const [first = ''] = blobs;
  const file = entries.find((entry) => entry.sha256 === first || entry.chunks?.some(({ sha256 }) => sha256 === first));
  const name = file === undefined ? `blob ${first.slice(0, 12)}…` : escapeForTerminal(file.path);
  return blobs.length === 1 ? `${name} is` : `${name} and ${blobs.length - 1} more are`;
}
