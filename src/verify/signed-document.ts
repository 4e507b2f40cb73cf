import type { Signer } from '../core/checks.ts';
import type { Digest } from '../core/digest.ts';
import { type Envelope, parseEnvelope, payloadDigest } from '../core/dsse.ts';
import { messageOf } from '../core/errors.ts';
import { encodeCanonicalJson, parseCanonicalJson } from '../core/jcs.ts';
import { validateSchema } from '../core/schema.ts';
import type { Schema } from '../core/schema-compiler.ts';
import type { Time } from '../core/time.ts';
import { assertAuthority, assertTimely } from './authority.ts';
import { VerifyError } from './errors.ts';
import type { Role } from './role-table.ts';
import { assertRootNotExpired } from './root-chain.ts';
import type { TrustRoot } from './root-document.ts';

/** Bytes of a payload: a log line has to take the envelope in whole, in base64. */
const MAX_PAYLOAD_BYTES = 36_000;
/** Bytes of an envelope, with room for every signature that a log line takes. */
export const MAX_DOCUMENT_BYTES = 60_000;
/** As many as a log line takes. */
const MAX_SIGNATURES = 16;

/** A kind of short signed document: heads, downgrade, floor reset. */
export type DocumentFormat<D> = {
  /** What people call it. */
  readonly name: string;
  readonly payloadType: string;
  /** Whose threshold it needs. */
  readonly role: Role;
  readonly schema: Schema;
  /** What is wrong with it beyond its schema, if anything. */
  readonly flaw: (document: D) => string | undefined;
};

type Dated = { readonly issuedAt: Time; readonly expires?: Time };

/** A document that enough holders of its role stand behind. */
export type Verified<D> = {
  readonly document: D;
  readonly envelope: Envelope;
  /** Digest of the payload: the document's identity. */
  readonly payload: Digest;
  /** The holders that count. */
  readonly signers: readonly Signer[];
};

/** The unsigned envelope of a document. @throws VerifyError DOCUMENT_MALFORMED if it could not be parsed again */
export function sealDocument<D>(format: DocumentFormat<D>, document: D): Envelope {
  const payload = encodeCanonicalJson(document);
  parseDocument(format, payload);
  return { payloadType: format.payloadType, payload, signatures: [] };
}

/** The envelope alone, its payload not looked at. @throws VerifyError DOCUMENT_MALFORMED */
export function parseDocumentEnvelope<D>(format: DocumentFormat<D>, bytes: Uint8Array): Envelope {
  try {
    const envelope = parseEnvelope(bytes, format.payloadType, MAX_DOCUMENT_BYTES);
    if (envelope.signatures.length <= MAX_SIGNATURES) return envelope;
  } catch (cause) {
    throw malformed(format, messageOf(cause), cause);
  }
  throw malformed(format, `over ${MAX_SIGNATURES} signatures`);
}

/** Parses a payload: canonical, by its schema, and in itself possible. @throws VerifyError DOCUMENT_MALFORMED */
export function parseDocument<D>(format: DocumentFormat<D>, payload: Uint8Array): D {
  let document: D;
  try {
    document = validateSchema<D>(format.schema, parseCanonicalJson(payload, { maxBytes: MAX_PAYLOAD_BYTES }));
  } catch (cause) {
    throw malformed(format, messageOf(cause), cause);
  }
  const flaw = format.flaw(document);
  if (flaw !== undefined) throw malformed(format, flaw);
  return document;
}

function malformed<D>({ name }: DocumentFormat<D>, problem: string, cause?: unknown): VerifyError {
  return new VerifyError('DOCUMENT_MALFORMED', `not a ${name}: ${problem}`, { cause });
}

/**
 * Whether a document counts under a trust root; what it says may still not fit here.
 * @param root the newest that is pinned where this is judged
 * @param floor the latest moment known to have passed
 * @throws VerifyError ROOT_EXPIRED, DOCUMENT_MALFORMED, and as `assertAuthority` and `assertTimely`
 */
export function verifyDocument<D extends Dated>(
  format: DocumentFormat<D>,
  root: TrustRoot,
  envelope: Envelope,
  floor: Time,
): Verified<D> {
  const { name, role } = format;
  assertRootNotExpired(root, floor);
  const known = assertAuthority(root, role, name, envelope);
  const document = parseDocument(format, envelope.payload);
  const signers = assertTimely(root, role, name, document, known, floor);
  return { document, envelope, payload: payloadDigest(envelope), signers };
}
