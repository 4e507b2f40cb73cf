import { DaemonEyeError } from '../core/errors.ts';

export type SandboxErrorCode =
  /** The statement asks for something that no question may have. */
  | 'SQL_REFUSED'
  /** The statement is wrong, or failed on the data. */
  | 'SQL_ERROR'
  /** Rows for the sample tables that the table contract doesn't know. */
  | 'GIVEN_REFUSED'
  /** Over the time for one question; the child was killed. */
  | 'DEADLINE'
  /** The machine gave the child no time to answer; it was killed. The question is not to blame. */
  | 'STARVED'
  /** The caller gave up; the child was killed. */
  | 'CANCELLED'
  /** Over the memory of the child, or a single value over its limit. */
  | 'MEMORY'
  | 'TOO_MANY_ROWS'
  | 'ANSWER_TOO_LARGE'
  /** The database to read can't be opened. */
  | 'DATABASE'
  /** The child ended, or said something it must not. */
  | 'CHILD_DIED'
  | 'CLOSED';

/** Anything `src/sandbox` refuses. */
export class SandboxError extends DaemonEyeError<SandboxErrorCode> {}
