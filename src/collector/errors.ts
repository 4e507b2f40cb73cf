import { DaemonEyeError } from '../core/errors.ts';

export type CollectorErrorCode = 'NO_AGENT' | 'SOURCE_FAILED' | 'PROCFS_UNAVAILABLE' | 'ANCHOR_REFUSED';

/** Anything that keeps a collector from its work. */
export class CollectorError extends DaemonEyeError<CollectorErrorCode> {}
