import { expectedBlobs, type IndexEntry, parseIndex } from '../../bundle/index-lines.ts';
import type { BundleStatement } from '../../bundle/statement.ts';
import { encodeHex } from '../../core/bytes.ts';
import { sha256 } from '../../core/digest.ts';
import { VerifyError } from '../errors.ts';

/**
 * The index is the one the statement signs, and only then it is parsed.
 * @throws VerifyError INDEX_MISMATCH, or as `parseIndex` and `expectedBlobs`
 */
export function checkIndex(statement: BundleStatement, bytes: Uint8Array): readonly IndexEntry[] {
  const { index } = statement;
  if (bytes.length !== index.size || encodeHex(sha256(bytes)) !== index.sha256) {
    throw new VerifyError('INDEX_MISMATCH', 'index.jsonl is not the file that was signed: it was changed');
  }
  const entries = parseIndex(bytes, { lines: index.lines, bytes: statement.bytes });
  // Whoever reads the blobs asks for this; what is wrong with it is wrong with the index, not with the container.
  expectedBlobs(entries);
  return entries;
}
