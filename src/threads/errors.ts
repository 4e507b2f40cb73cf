import { DaemonEyeError } from '../core/errors.ts';

/** `THREAD_ENDED`: the thread is gone, so its answer never comes. The work itself may be fine: do it elsewhere. */
export type ThreadErrorCode = 'THREAD_ENDED';

export class ThreadError extends DaemonEyeError<ThreadErrorCode> {}
