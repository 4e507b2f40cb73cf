import { DaemonEyeError } from '../core/errors.ts';

export type SealErrorCode =
  | 'RECIPIENT_MALFORMED'
  | 'IDENTITY_MALFORMED'
  | 'IDENTITY_UNSUITABLE'
  | 'SEALED_MALFORMED'
  | 'SEALED_DAMAGED'
  | 'SEALED_NOT_FOUND'
  | 'SEALED_REDACTED'
  | 'COMMITMENT_MISMATCH'
  | 'VALUE_TOO_LONG'
  | 'STORE_CLOSED';

/** Anything that goes wrong with sealed values. What the file system refuses is a DurableError. */
export class SealError extends DaemonEyeError<SealErrorCode> {}
