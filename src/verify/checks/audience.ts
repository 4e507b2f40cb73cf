import type { BundleStatement } from '../../bundle/statement.ts';
import { VerifyError } from '../errors.ts';
import type { TrustRoot } from '../root-document.ts';

/**
 * Whether something is meant for this enclave. An empty audience is everyone.
 * @param names that this enclave answers to besides the one in its trust root
 * @throws VerifyError NOT_FOR_THIS_ENCLAVE
 */
export function checkAudience(
  root: TrustRoot,
  { audience }: Pick<BundleStatement, 'audience'>,
  names: readonly string[] = [],
): string {
  if (audience.length === 0) return 'meant for every enclave';
  const own = [...(root.enclave === undefined ? [] : [root.enclave]), ...names];
  const named = own.find((name) => audience.includes(name));
  if (named !== undefined) return `meant for ${named}`;
  const not = own.length === 0 ? 'but this trust root names no enclave' : `not ${own.join(', ')}`;
  throw new VerifyError('NOT_FOR_THIS_ENCLAVE', `meant for ${audience.join(', ')}, ${not}`);
}
