import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { RevokedKey, TrustRoot } from '../../verify/root-document.ts';

/** A trust root for people: who may sign what. */
export function renderRoot(root: TrustRoot): string {
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
    // People, not keys: two keys of one operator are one voice, and a revoked key is none.
    const unrevoked = keyids.filter((keyid) => !root.revokedKeys.has(keyid));
    const who = [...new Set(unrevoked.map((keyid) => root.keys.get(keyid)?.operator ?? `key ${keyid.slice(0, 8)}…`))];
    const where = channels === undefined ? '' : `  on ${channels.join(', ')}`;
    lines.push(`  ${role.padEnd(18)} ${threshold} of ${who.length}: ${who.join(', ')}${where}`);
  }
  lines.push('', 'keys');
  for (const [keyid, { operator, notAfter }] of root.keys) {
    const revoked = root.revokedKeys.has(keyid) ? '  REVOKED' : '';
    const until = notAfter === undefined ? '' : `  until ${notAfter}`;
    lines.push(`  ${keyid}  ${operator ?? ''}${until}${revoked}`);
  }
  const { reveal = [] } = document.recipients ?? {};
  if (reveal.length > 0) lines.push('', 'can open sealed values', ...reveal.map((recipient) => `  ${recipient}`));
  if (root.releases.size > 0) {
    const pins = [...root.releases].map(([name, { kind, sha256 }]) => `  ${name}  ${kind}  sha256:${sha256}`);
    lines.push('', 'files that releases are judged by', ...pins);
  }
  const { keys, payloads } = document.revoked;
  if (keys.length > 0) lines.push('', 'revoked keys', ...keys.flatMap(renderRevoked));
  if (payloads.length > 0) lines.push('', 'revoked documents', ...payloads.map((payload) => `  ${payload}`));
  return lines.join('\n');
}

function renderRevoked({ keyid, validThrough = [] }: RevokedKey): string[] {
  const heads = validThrough.map(
    ({ origin, size, root }) => `    still counts for ${escapeForTerminal(origin)} at ${size} lines, ${root}`,
  );
  return [`  ${keyid}`, ...heads];
}
