import type { RevokedBundle } from '../../install/standing.ts';
import type { Style } from './style.ts';

/**
 * Active bundles that are not to be believed any more, and what follows.
 * @returns nothing when there is none
 */
export function renderRevoked(revoked: readonly RevokedBundle[], style: Style): readonly string[] {
  if (revoked.length === 0) return [];
  return [
    style.tone('bad', 'NO LONGER BELIEVED: the trust root has taken back what is active here'),
    ...revoked.map(({ channel, seq, code, reason }) => `  ${channel} seq ${seq}: ${reason} [${code}]`),
    'Nothing of it is loaded, and nothing was deleted. Apply a newer bundle of the channel, or see bundle rollback.',
  ];
}
