import { DaemonEyeError, type ErrorOptions } from '../core/errors.ts';

export type ForensicsErrorCode =
  // an evidence package's container and bag
  | 'NOT_A_PACKAGE'
  | 'UNKNOWN_NAME'
  | 'PART_TOO_LARGE'
  | 'BAG_FETCH'
  | 'BAG_TAGMANIFEST_MISSING'
  | 'BAG_FILE_MISSING'
  | 'BAG_UNLISTED'
  | 'BAG_CHANGED'
  | 'BAG_MALFORMED'
  // who sealed it
  | 'SEAL_MISSING'
  | 'SEAL_MALFORMED'
  | 'SEAL_MISMATCH'
  | 'SEAL_SIGNATURE'
  | 'SIGNER_UNKNOWN'
  | 'ROLE_NOT_HELD'
  | 'THRESHOLD_NOT_MET'
  | 'KEY_REVOKED'
  | 'KEY_EXPIRED'
  | 'KEY_ONLY_INSIDE'
  // what it says of itself, and of its logs
  | 'PACKAGE_MALFORMED'
  | 'PACKAGE_MISMATCH'
  | 'LOG_NOT_ENROLLED'
  | 'CHECKPOINT_SIZE'
  // export
  | 'TRACE_LINE_UNSIGNED'
  | 'TRACE_NOT_WHOLE'
  | 'TRACE_NOT_FOUND'
  | 'NOTHING_SELECTED'
  | 'EXPORT_INPUT'
  | 'LOG_DAMAGED'
  | 'OUTPUT_EXISTS';

/** Anything `src/forensics` refuses. */
export class ForensicsError extends DaemonEyeError<ForensicsErrorCode> {}

/** Something about a package from outside that takes away its claim to trust. */
export function untrusted(code: ForensicsErrorCode, message: string, options: ErrorOptions = {}): ForensicsError {
  return new ForensicsError(code, message, { fault: 'untrusted', ...options });
}
