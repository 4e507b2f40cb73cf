import { parseBase64 } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { validateSchema } from '../../../core/schema.ts';
import type { Schema } from '../../../core/schema-compiler.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { ReleaseError, type ReleaseErrorCode } from '../errors.ts';
import { MAX_MATERIAL_BYTES } from './format.ts';

/** The members that protobuf declares as bytes: in its JSON they are base64. */
const BYTES_MEMBERS = new Set([
  'rawBytes',
  'signature',
  'digest',
  'payload',
  'sig',
  'signedTimestamp',
  'keyId',
  'signedEntryTimestamp',
  'rootHash',
  'canonicalizedBody',
  'hashes',
]);

/**
 * Reads one of sigstore's documents the strict way, before any lenient parser sees it: one JSON reading only, no unknown
 * member, canonical base64. The library's own parser takes the last of two keys, ignores what it doesn't know and decodes
 * base64 up to the first odd character, so that two tools could read two documents in the same bytes.
 * @throws ReleaseError MATERIAL_TOO_LARGE or `code`
 */
export function readProtobufJson(bytes: Uint8Array, what: string, code: ReleaseErrorCode): JsonObject {
  if (bytes.length > MAX_MATERIAL_BYTES) {
    throw new ReleaseError('MATERIAL_TOO_LARGE', `the ${what} is over ${MAX_MATERIAL_BYTES} bytes`);
  }
  try {
    return withoutNulls(parseStrictJsonObject(bytes));
  } catch (cause) {
    throw new ReleaseError(code, `not a ${what}: ${messageOf(cause)}`, { cause });
  }
}

/** @throws ReleaseError `code` */
export function assertShape(value: JsonObject, schema: Schema, what: string, code: ReleaseErrorCode): void {
  try {
    validateSchema(schema, value);
    assertCanonicalBytes(value);
  } catch (cause) {
    throw new ReleaseError(code, `not a ${what}: ${messageOf(cause)}`, { cause });
  }
}

/** In protobuf's JSON a member that is null is a member that isn't there. */
function withoutNulls(object: JsonObject): JsonObject {
  const kept = Object.entries(object).filter(([, value]) => value !== null);
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutNullsIn(value)]));
}

function withoutNullsIn(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutNullsIn);
  return isJsonObject(value) ? withoutNulls(value) : value;
}

function assertCanonicalBytes(value: Json, isBytes = false): void {
  if (typeof value === 'string') {
    if (isBytes) parseBase64(value);
  } else if (Array.isArray(value)) {
    for (const item of value) assertCanonicalBytes(item, isBytes);
  } else if (isJsonObject(value)) {
    for (const [key, item] of Object.entries(value)) assertCanonicalBytes(item, BYTES_MEMBERS.has(key));
  }
}
