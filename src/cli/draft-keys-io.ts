import { existsSync } from 'node:fs';
import type { KeyId } from '../core/keys.ts';
import type { RootDocument } from '../verify/root-document.ts';
import { usageError } from './errors.ts';
import { loadPublicKey } from './key-files-io.ts';

/**
 * The draft's keys that a person means by an operator's name (all of its keys), a keyid (its first 8 digits suffice)
 * or a public key file. What the draft says goes before what happens to lie in the current directory.
 * @throws CliError USAGE_VALUE when no key is meant, or by a shortened keyid more than one; as `loadPublicKey`
 */
export function keyidsNamed(draft: RootDocument, name: string): readonly KeyId[] {
  const spoken = Object.entries(draft.keys).flatMap(([keyid, { operator }]) => (operator === name ? [keyid] : []));
  if (spoken.length > 0) return spoken;
  const begun = Object.keys(draft.keys).filter((keyid) => isBeginning(name, keyid));
  // Eight digits can be forged: whoever gets a key of his own listed could share the beginning of another's.
  if (begun.length > 1) throw usageError('USAGE_VALUE', `${begun.length} keys begin with "${name}"; give more of it`);
  const [keyid = keyidInFile(draft, name)] = begun;
  if (keyid !== undefined) return [keyid];
  throw usageError('USAGE_VALUE', `no key in the draft is meant by "${name}"; list it first with trust add-key`);
}

function isBeginning(text: string, keyid: KeyId): boolean {
  return /^[0-9a-f]{8,64}$/.test(text) && keyid.startsWith(text);
}

function keyidInFile(draft: RootDocument, path: string): KeyId | undefined {
  if (!existsSync(path)) return undefined;
  const { keyid } = loadPublicKey(path);
  return Object.hasOwn(draft.keys, keyid) ? keyid : undefined;
}
