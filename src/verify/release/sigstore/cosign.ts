import type { Bundle } from '@sigstore/bundle';
import { pem } from '@sigstore/core';
import { decodeUtf8, encodeBase64, parseBase64, parseHex } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { ReleaseError } from '../errors.ts';
import { bundleFromObject } from './read-bundle.ts';
import { readProtobufJson } from './read-json.ts';

/**
 * Signatures as cosign wrote them before it took to sigstore's bundles (cosign's specs/SIGNATURE_SPEC.md and its
 * `--bundle` file). They become a bundle v0.1, so that one piece of code judges them all.
 */
export type CosignSignature = {
  /** Base64 of the signature. */
  readonly signature: string;
  /** PEM of the certificate, or of the public key, or nothing. */
  readonly signer?: string;
  /** `{SignedEntryTimestamp, Payload: {body, integratedTime, logIndex, logID}}`. */
  readonly rekorBundle?: JsonObject;
  /** SHA-256 of what was signed, where the caller has it; else the log entry's. */
  readonly sha256?: Uint8Array;
};

/** Whether a file is cosign's own `--bundle`. */
export function isCosignBundle(json: JsonObject): boolean {
  return typeof json['base64Signature'] === 'string';
}

/** Reads cosign's own `--bundle` file. @throws ReleaseError MATERIAL_TOO_LARGE or MATERIAL_MALFORMED */
export function readCosignBundle(bytes: Uint8Array): Bundle {
  const json = readProtobufJson(bytes, 'cosign bundle', 'MATERIAL_MALFORMED');
  const { base64Signature: signature, cert, rekorBundle, ...more } = json;
  const [extra] = Object.keys(more);
  if (typeof signature !== 'string' || extra !== undefined || !isJsonObject(rekorBundle)) {
    throw malformed('it has not the members base64Signature, cert and rekorBundle alone');
  }
  const signer = typeof cert === 'string' && cert !== '' ? decoded(cert) : undefined;
  return cosignAsBundle({ signature, rekorBundle, ...(signer === undefined ? {} : { signer }) });
}

/** @throws ReleaseError MATERIAL_MALFORMED */
export function cosignAsBundle({ signature, signer, rekorBundle, sha256 }: CosignSignature): Bundle {
  const entry = rekorBundle === undefined ? undefined : entryOf(rekorBundle);
  const digest = sha256 ?? entry?.sha256;
  if (digest === undefined) throw malformed('nothing says which digest was signed');
  return bundleFromObject({
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    verificationMaterial: { ...signerOf(signer), tlogEntries: entry === undefined ? [] : [entry.json] },
    messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: encodeBase64(digest) }, signature },
  });
}

/** A public key in it is a name only: the key that counts is given by whoever verifies. */
function signerOf(signer: string | undefined): JsonObject {
  if (signer === undefined || signer.includes('-----BEGIN PUBLIC KEY-----')) return { publicKey: { hint: '' } };
  if (signer.split('-----BEGIN CERTIFICATE-----').length !== 2) throw malformed('it has not one certificate');
  return { x509CertificateChain: { certificates: [{ rawBytes: encodeBase64(pem.toDER(signer)) }] } };
}

function entryOf(rekorBundle: JsonObject): { json: JsonObject; sha256: Uint8Array | undefined } {
  const { SignedEntryTimestamp: promise, Payload: payload } = rekorBundle;
  const { body, integratedTime, logIndex, logID } = isJsonObject(payload) ? payload : {};
  if (typeof promise !== 'string' || typeof body !== 'string' || typeof logID !== 'string') {
    throw malformed('its log entry is incomplete');
  }
  try {
    const inside = parseStrictJsonObject(parseBase64(body));
    const json = {
      logIndex: count(logIndex),
      logId: { keyId: encodeBase64(parseHex(logID)) },
      kindVersion: { kind: String(inside['kind']), version: String(inside['apiVersion']) },
      integratedTime: count(integratedTime),
      inclusionPromise: { signedEntryTimestamp: promise },
      canonicalizedBody: body,
    };
    return { json, sha256: loggedDigest(inside) };
  } catch (cause) {
    throw malformed(`its log entry can't be read (${messageOf(cause)})`, cause);
  }
}

function loggedDigest({ spec }: JsonObject): Uint8Array | undefined {
  const data = isJsonObject(spec) ? spec['data'] : undefined;
  const hash = isJsonObject(data) ? data['hash'] : undefined;
  const value = isJsonObject(hash) && hash['algorithm'] === 'sha256' ? hash['value'] : undefined;
  return typeof value === 'string' ? parseHex(value) : undefined;
}

function count(value: Json | undefined): string {
  if (typeof value !== 'number') throw new Error('a number is missing');
  return String(value);
}

/** Base64 of PEM. */
function decoded(base64: string): string {
  try {
    return decodeUtf8(parseBase64(base64));
  } catch (cause) {
    throw malformed('its certificate is not PEM in base64', cause);
  }
}

/**
 * A detached signature as `cosign sign-blob --output-signature` writes it: base64, perhaps with a newline.
 * With a certificate beside it, it proves nothing offline: only the log's entry says when it was made, so keep the bundle.
 * @throws ReleaseError MATERIAL_MALFORMED
 */
export function readDetachedCosign(signature: Uint8Array, sha256: Uint8Array, signer?: Uint8Array): Bundle {
  const MAX_SIGNATURE_BYTES = 16 * 1024;
  if (signature.length > MAX_SIGNATURE_BYTES) throw malformed('a signature of that size is none');
  try {
    const text = decodeUtf8(signature).trim();
    const certificate = signer === undefined ? undefined : pemText(decodeUtf8(signer));
    return cosignAsBundle({ signature: text, sha256, ...(certificate === undefined ? {} : { signer: certificate }) });
  } catch (cause) {
    if (cause instanceof ReleaseError) throw cause;
    throw malformed(`it can't be read (${messageOf(cause)})`, cause);
  }
}

/** cosign writes the certificate as PEM, or that in base64. */
function pemText(text: string): string {
  return text.trimStart().startsWith('-----') ? text : decodeUtf8(parseBase64(text.trim()));
}

function malformed(problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('MATERIAL_MALFORMED', `not a signature of cosign's: ${problem}`, { cause });
}
