import { DaemonEyeError } from '../core/errors.ts';

export type ArchiveErrorCode =
  // names that come from outside
  | 'PATH_EMPTY'
  | 'PATH_ABSOLUTE'
  | 'PATH_DRIVE'
  | 'PATH_BACKSLASH'
  | 'PATH_TRAVERSAL'
  | 'PATH_EMPTY_COMPONENT'
  | 'PATH_CONTROL'
  | 'PATH_NOT_NFC'
  | 'PATH_STREAM'
  | 'PATH_CHARACTER'
  | 'PATH_RESERVED'
  | 'PATH_SHORT_NAME'
  | 'PATH_TRAILING'
  | 'PATH_APPLEDOUBLE'
  | 'PATH_TOO_LONG'
  | 'PATH_TOO_DEEP'
  // names beside each other
  | 'PATH_DUPLICATE'
  | 'PATH_TWIN'
  | 'PATH_FILE_AND_DIRECTORY'
  // tar
  | 'TAR_NOT_USTAR'
  | 'TAR_CHECKSUM'
  | 'TAR_LINK'
  | 'TAR_DEVICE'
  | 'TAR_DIRECTORY'
  | 'TAR_PAX'
  | 'TAR_GNU'
  | 'TAR_TYPE'
  | 'TAR_NAME'
  | 'TAR_NAME_NUL'
  | 'TAR_PREFIX'
  | 'TAR_MODE'
  | 'TAR_SIZE'
  | 'TAR_NOT_CANONICAL'
  | 'TAR_DUPLICATE'
  | 'TAR_ORDER'
  | 'TAR_PADDING'
  | 'TAR_TRUNCATED'
  | 'TAR_MISSING_EOF'
  | 'TAR_TRAILING'
  | 'TAR_CONCATENATED'
  | 'TAR_TOO_MANY'
  | 'TAR_ENTRY_TOO_LARGE'
  | 'TAR_BODY_SIZE'
  // untrusted directories
  | 'DIRECTORY_LINK'
  | 'DIRECTORY_SPECIAL'
  | 'DIRECTORY_SETUID'
  | 'DIRECTORY_NAME'
  | 'DIRECTORY_TYPE'
  | 'DIRECTORY_TOO_MANY'
  | 'DIRECTORY_CHANGED'
  | 'FILE_TOO_LARGE'
  | 'FILE_CHANGED'
  // plain trouble
  | 'NOT_FOUND'
  | 'NO_PERMISSION'
  | 'READ_FAILED';

/** Anything `src/archive` refuses. */
export class ArchiveError extends DaemonEyeError<ArchiveErrorCode> {}

/** Something from outside that this program will not touch. */
export function hostile(code: ArchiveErrorCode, message: string, cause?: unknown): ArchiveError {
  return new ArchiveError(code, message, { fault: 'untrusted', cause });
}
