import { DaemonEyeError, type ErrorOptions } from '../core/errors.ts';

export type EnrolmentErrorCode = 'ENROLMENT_MALFORMED';

/** Why an enrolment can't be read at all. That it isn't trusted is a VerifyError, with the codes bundles have. */
export class EnrolmentError extends DaemonEyeError<EnrolmentErrorCode> {
  constructor(code: EnrolmentErrorCode, message: string, options: ErrorOptions = {}) {
    super(code, message, { fault: 'untrusted', ...options });
  }
}

export function enrolmentMalformed(problem: string, cause?: unknown): EnrolmentError {
  if (cause instanceof EnrolmentError) return cause;
  return new EnrolmentError('ENROLMENT_MALFORMED', `not an enrolment: ${problem}`, { cause });
}
