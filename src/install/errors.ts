import { DaemonEyeError, type ErrorOptions } from '../core/errors.ts';

export type InstallErrorCode =
  | 'ORDER_NOT_APPROVED'
  | 'NOT_INITIALISED'
  | 'ALREADY_INITIALISED'
  | 'DIRECTORY_NOT_EMPTY'
  | 'NO_TRUST_ROOT'
  | 'ALREADY_PINNED'
  | 'CHANNEL_UNKNOWN'
  | 'NOTHING_BEFORE'
  | 'USE_ROLLBACK'
  | 'STATE_TAMPERED'
  | 'LOG_IN_USE'
  | 'PIN_MISSING'
  // content of bundles of kind trust and update
  | 'TRUST_FILES'
  | 'TRUST_CHAIN_DIFFERS'
  | 'UPDATE_EMPTY'
  | 'UPDATE_MODE';

/** Anything the receiving side refuses. */
export class InstallError extends DaemonEyeError<InstallErrorCode> {}

/** Our own state is not what we left. */
export function tampered(message: string, options: ErrorOptions = {}): InstallError {
  return new InstallError('STATE_TAMPERED', message, { fault: 'tampered', ...options });
}
