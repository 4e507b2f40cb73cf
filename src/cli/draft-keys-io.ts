import { existsSync } from 'node:fs';
import { type KeyId, type PublicKey, parsePublicKey } from '../core/keys.ts';
import { parseEnrolmentEnvelope } from '../verify/enrolment.ts';
import { MAX_ENROLMENT_BYTES, parseEnrolmentPayload } from '../verify/enrolment-document.ts';
import type { RootDocument } from '../verify/root-document.ts';
import { type CliError, usageError } from './errors.ts';
import { readInputFile } from './files-io.ts';
import { loadPublicKey } from './key-files-io.ts';

/**
 * The draft's keys that a person means by an operator's name (all of its keys), a keyid (its first 8 digits suffice)
 * or a public key file, for a role: revoked ones are left out, since they would only look like holders.
 * What the draft says goes before what happens to lie in the current directory.
 * @throws CliError USAGE_VALUE when no key is meant, only revoked ones, or by a shortened keyid more than one; as
 *   `loadPublicKey`
 */
export function keyidsNamed(draft: RootDocument, name: string): readonly KeyId[] {
  const listed = keyidsListed(draft, name);
  const named = listed.length > 0 ? listed : keyidInFile(draft, name);
  if (named.length === 0) throw nothingMeant(name);
  const usable = named.filter((keyid) => !isRevoked(draft, keyid));
  if (usable.length > 0) return usable;
  throw usageError('USAGE_VALUE', `"${name}" has no key that is not revoked; list a new one with trust add-key`);
}

function keyidInFile(draft: RootDocument, path: string): readonly KeyId[] {
  const keyid = existsSync(path) ? loadPublicKey(path).keyid : undefined;
  return keyid !== undefined && Object.hasOwn(draft.keys, keyid) ? [keyid] : [];
}

export function isRevoked(draft: RootDocument, keyid: KeyId): boolean {
  return draft.revoked.keys.some((revoked) => revoked.keyid === keyid);
}

/** A key to revoke, the key itself where it is at hand. */
export type KeyToRevoke = { readonly keyid: KeyId; readonly key?: PublicKey };

/**
 * As {@link keyidsNamed}, and keys that a trust root doesn't list: those of hosts' logs and of enrolled operators. They
 * are named by their whole keyid, a public key file, or their enrolment (all of its keys).
 * @throws CliError USAGE_VALUE, CoreError as `loadPublicKey`, EnrolmentError
 */
export function keysToRevoke(draft: RootDocument, name: string): readonly KeyToRevoke[] {
  const listed = keyidsListed(draft, name);
  if (listed.length > 0) return listed.map((keyid) => ({ keyid, key: parsePublicKey(draft.keys[keyid]?.pem ?? '') }));
  if (/^[0-9a-f]{64}$/.test(name)) return [{ keyid: name }];
  if (!existsSync(name)) throw nothingMeant(name);
  const bytes = readInputFile(name, { maxBytes: MAX_ENROLMENT_BYTES });
  const keys = bytes[0] === '{'.charCodeAt(0) ? enrolledKeys(bytes) : [loadPublicKey(name)];
  return [...new Map(keys.map((key) => [key.keyid, { keyid: key.keyid, key }])).values()];
}

/** Whoever signed it: revoking more than was enrolled does no harm. */
function enrolledKeys(bytes: Uint8Array): readonly PublicKey[] {
  const { logs, operator } = parseEnrolmentPayload(parseEnrolmentEnvelope(bytes).payload);
  return [...logs.map(({ key }) => key), ...(operator?.keys ?? [])];
}

function keyidsListed(draft: RootDocument, name: string): readonly KeyId[] {
  const spoken = Object.entries(draft.keys).flatMap(([keyid, { operator }]) => (operator === name ? [keyid] : []));
  if (spoken.length > 0) return spoken;
  const begun = Object.keys(draft.keys).filter((keyid) => isBeginning(name, keyid));
  // Eight digits can be forged: whoever gets a key of his own listed could share the beginning of another's.
  if (begun.length > 1) throw usageError('USAGE_VALUE', `${begun.length} keys begin with "${name}"; give more of it`);
  return begun;
}

function isBeginning(text: string, keyid: KeyId): boolean {
  return /^[0-9a-f]{8,64}$/.test(text) && keyid.startsWith(text);
}

function nothingMeant(name: string): CliError {
  return usageError('USAGE_VALUE', `no key in the draft is meant by "${name}"; list it first with trust add-key`);
}
