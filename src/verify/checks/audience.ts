import type { BundleStatement } from '../../bundle/statement.ts';
import { VerifyError } from '../errors.ts';
import type { TrustRoot } from '../root-document.ts';

/** Whether the bundle is meant for this enclave. An empty audience is everyone. @throws VerifyError NOT_FOR_THIS_ENCLAVE */
export function checkAudience(root: TrustRoot, statement: BundleStatement): string {
  if (statement.audience.length === 0) return 'meant for every enclave';
  if (root.enclave === undefined) {
    throw new VerifyError(
      'NOT_FOR_THIS_ENCLAVE',
      `meant for ${statement.audience.join(', ')}, but this trust root names no enclave`,
    );
  }
  if (!statement.audience.includes(root.enclave)) {
    throw new VerifyError('NOT_FOR_THIS_ENCLAVE', `meant for ${statement.audience.join(', ')}, not ${root.enclave}`);
  }
  return `meant for ${root.enclave}`;
}
