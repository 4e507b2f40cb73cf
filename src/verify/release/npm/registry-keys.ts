import { parseBase64 } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { ReleaseError } from '../errors.ts';
import { type ReleaseKey, releaseKeyFromSpki } from '../release-key.ts';

/** A key of a package registry, under the name that its signatures call it by. */
export type RegistryKey = {
  readonly name: string;
  readonly usage: 'signatures' | 'attestations' | 'any';
  readonly key: ReleaseKey;
};

const MAX_KEYS_BYTES = 256 * 1024;
const USAGES: Readonly<Record<string, RegistryKey['usage']>> = {
  'npm:signatures': 'signatures',
  'npm:attestations': 'attestations',
};

/**
 * Reads a registry's keys, as the registry answers (`/-/npm/v1/keys`) or as sigstore's TUF repository carries them.
 * @throws ReleaseError KEY_REFUSED
 */
export function readRegistryKeys(bytes: Uint8Array): RegistryKey[] {
  try {
    const { keys } = parseStrictJsonObject(bytes, { maxBytes: MAX_KEYS_BYTES });
    if (!Array.isArray(keys) || keys.length === 0) throw new Error('it has no keys');
    return keys.map((entry: Json) => registryKey(entry));
  } catch (cause) {
    throw new ReleaseError('KEY_REFUSED', `not a registry's keys: ${messageOf(cause)}`, { cause });
  }
}

function registryKey(entry: Json): RegistryKey {
  if (!isJsonObject(entry)) throw new Error('an entry is no key');
  return isJsonObject(entry['publicKey']) ? fromTuf(entry, entry['publicKey']) : fromRegistry(entry);
}

function fromRegistry({ keyid, expires, keytype, key }: JsonObject): RegistryKey {
  if (keytype !== 'ecdsa-sha2-nistp256') throw new Error('a key is not of the type ecdsa-sha2-nistp256');
  const end = expires === null || expires === undefined ? undefined : moment(expires);
  const validFor = end === undefined ? undefined : { end };
  return { name: text(keyid), usage: 'any', key: releaseKeyFromSpki(parseBase64(text(key)), validFor) };
}

function fromTuf({ keyId, keyUsage }: JsonObject, { rawBytes, keyDetails, validFor }: JsonObject): RegistryKey {
  if (keyDetails !== 'PKIX_ECDSA_P256_SHA_256') throw new Error('a key is not of the type PKIX_ECDSA_P256_SHA_256');
  const usage = USAGES[text(keyUsage)];
  if (usage === undefined || !isJsonObject(validFor)) throw new Error('a key has no usage or no validity');
  const { start, end } = validFor;
  const span = { start: moment(start), ...(end === undefined || end === null ? {} : { end: moment(end) }) };
  return { name: text(keyId), usage, key: releaseKeyFromSpki(parseBase64(text(rawBytes)), span) };
}

function text(value: Json | undefined): string {
  if (typeof value !== 'string' || value === '') throw new Error('a member of a key is missing');
  return value;
}

/** Unix milliseconds; a word that is no time would be an end that never comes. */
function moment(value: Json | undefined): number {
  const milliseconds = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/.test(text(value))
    ? Date.parse(text(value))
    : Number.NaN;
  if (Number.isNaN(milliseconds)) throw new Error('a validity is no moment');
  return milliseconds;
}

/** The key of a name for a use. @throws ReleaseError KEY_MISSING */
export function findRegistryKey(
  keys: readonly RegistryKey[],
  name: string,
  usage: 'signatures' | 'attestations',
): ReleaseKey {
  const found = keys.find((entry) => entry.name === name && (entry.usage === usage || entry.usage === 'any'));
  if (found !== undefined) return found.key;
  throw new ReleaseError(
    'KEY_MISSING',
    `it is signed with a key that is not among the registry's pinned ones for ${usage}`,
  );
}
