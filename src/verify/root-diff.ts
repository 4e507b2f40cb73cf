import { diffFields, type FieldChange, type Fields } from '../core/field-diff.ts';
import type { TrustRoot } from './root-document.ts';

/**
 * What two versions of a trust root say differently, for people: who may sign what. Nothing is verified.
 * @param before undefined where there is nothing to compare with: then everything is new
 */
export function diffRoots(before: TrustRoot | undefined, after: TrustRoot | undefined): readonly FieldChange[] {
  return diffFields(fieldsOf(before), fieldsOf(after));
}

function fieldsOf(root: TrustRoot | undefined): Fields {
  if (root === undefined) return {};
  const { document, keys, roles } = root;
  return {
    version: root.version,
    expires: root.expires,
    enclave: root.enclave ?? null,
    keys: [...keys].map(([keyid, { operator }]) => (operator === undefined ? keyid : `${keyid} ${operator}`)).sort(),
    ...Object.fromEntries(
      [...roles].sort(([a], [b]) => (a < b ? -1 : 1)).map(([role, grant]) => [`role ${role}`, grantOf(root, grant)]),
    ),
    'recipients.reveal': document.recipients?.reveal ?? null,
    ...Object.fromEntries(
      [...root.releases].map(([name, { kind, sha256 }]) => [`release ${name}`, `${kind} sha256:${sha256}`]),
    ),
    'revoked.keys': [...root.revokedKeys].sort(),
    'revoked.payloads': [...root.revokedPayloads].sort(),
  };
}

function grantOf({ keys }: TrustRoot, grant: TrustRoot['document']['roles'][string]): readonly string[] {
  const holders = grant.keyids.map((keyid) => keys.get(keyid)?.operator ?? `key ${keyid}`).sort();
  const channels = (grant.channels ?? []).map((channel) => `on ${channel}`);
  return [`${grant.threshold} of ${grant.keyids.length}`, ...holders, ...channels];
}
