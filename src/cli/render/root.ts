import type { TrustRoot } from '../../verify/root-document.ts';
import type { Style } from './style.ts';

/** A trust root for people: who may sign what. */
export function renderRoot(root: TrustRoot, _style: Style): string {
  const { document } = root;
  const lines = [
    `trust root ${root.version}${root.enclave === undefined ? '' : ` of ${root.enclave}`}`,
    `  fingerprint  ${root.digest}`,
    `  issued       ${document.issuedAt}`,
    `  expires      ${root.expires}`,
    '',
    'roles',
  ];
  for (const [role, { keyids, threshold, channels }] of root.roles) {
    const who = keyids.map((keyid) => root.keys.get(keyid)?.operator ?? `${keyid.slice(0, 8)}…`);
    const where = channels === undefined ? '' : `  on ${channels.join(', ')}`;
    lines.push(`  ${role.padEnd(18)} ${threshold} of ${keyids.length}: ${who.join(', ')}${where}`);
  }
  lines.push('', 'keys');
  for (const [keyid, { operator, notAfter }] of root.keys) {
    const revoked = root.revokedKeys.has(keyid) ? '  REVOKED' : '';
    const until = notAfter === undefined ? '' : `  until ${notAfter}`;
    lines.push(`  ${keyid}  ${operator ?? ''}${until}${revoked}`);
  }
  const { payloads } = document.revoked;
  if (payloads.length > 0) lines.push('', 'revoked documents', ...payloads.map((payload) => `  ${payload}`));
  return lines.join('\n');
}
