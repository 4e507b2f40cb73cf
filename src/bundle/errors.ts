import { DaemonEyeError } from '../core/errors.ts';

export type BundleErrorCode =
  // statement
  | 'KIND_UNKNOWN'
  | 'STATEMENT_MALFORMED'
  // index
  | 'INDEX_MALFORMED'
  | 'INDEX_ORDER'
  | 'INDEX_COUNT'
  | 'INDEX_SIZE'
  | 'INDEX_CHUNKS'
  | 'INDEX_BLOB_SIZES'
  | 'INDEX_ATTESTATION'
  | 'INDEX_MISMATCH'
  // container
  | 'NOT_A_BUNDLE'
  | 'ENCRYPTED'
  | 'NOT_FOUND'
  | 'NO_PERMISSION'
  | 'UNKNOWN_NAME'
  | 'ENVELOPE_MISSING'
  | 'INDEX_MISSING'
  | 'ROOT_TOO_LARGE'
  | 'ROOT_TOO_MANY'
  | 'ENVELOPE_TOO_LARGE'
  | 'INDEX_TOO_LARGE'
  | 'BLOB_UNLISTED'
  | 'BLOB_MISMATCH'
  | 'READ_ORDER'
  // building, signing, packing
  | 'BUILD_INPUT'
  | 'OUTPUT_EXISTS'
  | 'OUTPUT_INSIDE_SOURCE'
  | 'PACK_MISMATCH'
  | 'OUTPUT_SPACE'
  // volumes
  | 'SPLIT_SIZE'
  | 'VOLUME_FOREIGN'
  | 'VOLUME_REFUSED'
  | 'VOLUME_UNREADABLE'
  | 'VOLUMES_INCOMPLETE';

/** Anything `src/bundle` refuses. */
export class BundleError extends DaemonEyeError<BundleErrorCode> {}

/** Something about a bundle from outside that takes away its claim to trust. */
export function untrusted(code: BundleErrorCode, message: string, cause?: unknown): BundleError {
  return new BundleError(code, message, { fault: 'untrusted', cause });
}
