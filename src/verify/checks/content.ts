import type { DaemonEyeError } from '../../core/errors.ts';
import { VerifyError } from '../errors.ts';

/** What the injected content check says of the files (rules compile, their samples pass). */
export type ContentVerdict = {
  readonly ok: boolean;
  readonly reason: string;
  /** What refused them, for a closer code than CONTENT_REFUSED. */
  readonly cause?: DaemonEyeError;
};

/** The files do what their kind is for. @throws VerifyError CONTENT_REFUSED, or what refused them */
export function checkContent({ ok, reason, cause }: ContentVerdict): string {
  if (!ok) throw cause ?? new VerifyError('CONTENT_REFUSED', reason);
  return reason;
}
