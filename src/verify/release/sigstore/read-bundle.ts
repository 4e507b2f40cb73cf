import { type Bundle, bundleFromJSON } from '@sigstore/bundle';
import bundleSchema from '../../../../schemas/sigstore-bundle.schema.json' with { type: 'json' };
import { messageOf } from '../../../core/errors.ts';
import type { JsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { BUNDLE_MEDIA_TYPES } from './format.ts';
import { assertShape, readProtobufJson } from './read-json.ts';

/** Bytes of a digest by its algorithm's name in the bundle. */
const DIGEST_BYTES: Readonly<Record<string, number>> = { SHA2_256: 32, SHA2_384: 48, SHA2_512: 64 };

/**
 * Reads a sigstore bundle, versions 0.1 to 0.3. What its version demands (inclusion promise or proof, one certificate or
 * a chain) is demanded.
 * @throws ReleaseError MATERIAL_TOO_LARGE, MATERIAL_MALFORMED, MEDIA_TYPE_UNKNOWN or SIGNATURE_COUNT
 */
export function readBundle(bytes: Uint8Array): Bundle {
  return bundleFromObject(readProtobufJson(bytes, 'sigstore bundle', 'MATERIAL_MALFORMED'));
}

/** As {@link readBundle}, from strict JSON without nulls that holds the bundle inside something else. */
export function bundleFromObject(json: JsonObject): Bundle {
  assertMediaType(json['mediaType']);
  assertShape(json, bundleSchema, 'sigstore bundle', 'MATERIAL_MALFORMED');
  const { messageSignature, dsseEnvelope } = json as {
    messageSignature?: { messageDigest: { algorithm: string; digest: string } };
    dsseEnvelope?: { signatures: readonly unknown[] };
  };
  if (dsseEnvelope !== undefined && dsseEnvelope.signatures.length !== 1) {
    const count = dsseEnvelope.signatures.length;
    throw new ReleaseError('SIGNATURE_COUNT', `the bundle's envelope has ${count} signatures where one is allowed`);
  }
  if (messageSignature !== undefined) assertDigestLength(messageSignature.messageDigest);
  try {
    return bundleFromJSON(json);
  } catch (cause) {
    throw new ReleaseError('MATERIAL_MALFORMED', `not a sigstore bundle of its version: ${problemOf(cause)}`, {
      cause,
    });
  }
}

function assertMediaType(mediaType: unknown): void {
  if (typeof mediaType === 'string' && BUNDLE_MEDIA_TYPES.includes(mediaType)) return;
  const said =
    typeof mediaType === 'string' ? `the type ${escapeForTerminal(mediaType.slice(0, 200))}` : 'no media type';
  throw new ReleaseError('MEDIA_TYPE_UNKNOWN', `the bundle has ${said}; versions 0.1 to 0.3 of sigstore's are known`);
}

function assertDigestLength({ algorithm, digest }: { algorithm: string; digest: string }): void {
  const length = Buffer.from(digest, 'base64').length;
  if (length === DIGEST_BYTES[algorithm]) return;
  throw new ReleaseError('MATERIAL_MALFORMED', `not a sigstore bundle: a ${algorithm} digest of ${length} bytes`);
}

/** The library says which members it misses beside its message. */
function problemOf(cause: unknown): string {
  const fields = (cause as { fields?: unknown }).fields;
  return Array.isArray(fields) ? `wrong or missing ${fields.join(', ')}` : messageOf(cause);
}
