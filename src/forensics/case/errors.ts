import { DaemonEyeError } from '../../core/errors.ts';

export type CaseErrorCode =
  | 'CASE_NAME'
  | 'CASE_EXISTS'
  | 'CASE_NOT_FOUND'
  /** Another process is adding to it. */
  | 'CASE_BUSY'
  /** Its own files are not as this program leaves them. */
  | 'CASE_DAMAGED'
  /** A package whose copy here is not one, although it was verified. */
  | 'PACKAGE_MALFORMED'
  /** Two packages, both verified, tell of different lines at the same place of one log. */
  | 'LOG_FORK'
  /** The database could not be made. */
  | 'BUILD_FAILED';

/** Anything `src/forensics/case` refuses. */
export class CaseError extends DaemonEyeError<CaseErrorCode> {}
