import type { IndexEntry } from '../../bundle/index-lines.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { VerifyError } from '../errors.ts';

/**
 * Third-party signatures that travel with files. This version can't verify any, so a bundle that carries one is
 * refused rather than waved through. @throws VerifyError ATTESTATION_UNSUPPORTED
 */
export function checkAttestations(entries: readonly IndexEntry[]): string {
  const attested = entries.find(({ attestations }) => attestations !== undefined && attestations.length > 0);
  if (attested !== undefined) {
    throw new VerifyError(
      'ATTESTATION_UNSUPPORTED',
      `${escapeForTerminal(attested.path)} carries a third-party attestation, which this version can't verify`,
    );
  }
  return 'no file carries a third-party attestation';
}
