import envelopeSchema from '../../schemas/envelope.schema.json' with { type: 'json' };
import { concatBytes, encodeBase64, encodeHex, equalBytes, parseBase64, utf8 } from './bytes.ts';
import { type Digest, sha256Digest } from './digest.ts';
import { CoreError, messageOf } from './errors.ts';
import { encodeCanonicalJson } from './jcs.ts';
import { type KeyId, type PrivateKey, type PublicKey, signWithKey, verifyWithKey } from './keys.ts';
import { validateSchema } from './schema.ts';
import { parseStrictJson } from './strict-json.ts';
import { escapeForTerminal } from './terminal-text.ts';

/**
 * A DSSE v1 envelope (https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md): the only way a
 * document is signed here.
 */
export type Envelope = {
  readonly payloadType: string;
  /** The exact signed bytes; what is parsed later is these same bytes. */
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
};

/** `keyid` is a hint from the envelope, never evidence of who signed. */
export type EnvelopeSignature = { readonly keyid: KeyId; readonly sig: Uint8Array };

export const MAX_ENVELOPE_BYTES = 1024 * 1024;

type EnvelopeJson = { payloadType: string; payload: string; signatures: { keyid: string; sig: string }[] };

/** Pre-authentication encoding: `"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body` (protocol.md). */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType);
  return concatBytes(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload);
}

/**
 * Parses an envelope of one expected type; any other type is refused before the payload is looked at.
 * An envelope without signatures parses: it is what `build` leaves for signers, and no verifier accepts it.
 * @throws CoreError ENVELOPE_TOO_LARGE, ENVELOPE_MALFORMED or PAYLOAD_TYPE
 */
export function parseEnvelope(bytes: Uint8Array, payloadType: string, maxBytes = MAX_ENVELOPE_BYTES): Envelope {
  if (bytes.length > maxBytes) {
    throw new CoreError('ENVELOPE_TOO_LARGE', `the envelope is over ${maxBytes} bytes`);
  }
  try {
    const json = validateSchema<EnvelopeJson>(envelopeSchema, parseStrictJson(bytes));
    if (json.payloadType !== payloadType) {
      throw new CoreError(
        'PAYLOAD_TYPE',
        `the envelope holds ${escapeForTerminal(json.payloadType)}, not ${payloadType}`,
      );
    }
    return {
      payloadType,
      payload: parseBase64(json.payload),
      signatures: json.signatures.map(({ keyid, sig }) => ({ keyid, sig: parseBase64(sig) })),
    };
  } catch (cause) {
    if (cause instanceof CoreError && cause.code === 'PAYLOAD_TYPE') throw cause;
    throw new CoreError('ENVELOPE_MALFORMED', `not a signed envelope: ${messageOf(cause)}`, { cause });
  }
}

/** Canonical JSON of an envelope, signatures sorted by keyid so that the order of signing leaves no trace. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const signatures = envelope.signatures.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) }));
  const order = ({ keyid, sig }: { keyid: string; sig: string }) => `${keyid} ${sig}`;
  signatures.sort((a, b) => (order(a) < order(b) ? -1 : 1));
  return encodeCanonicalJson({
    payloadType: envelope.payloadType,
    payload: encodeBase64(envelope.payload),
    signatures,
  });
}

/** Adds (or renews) this key's signature. */
export function signEnvelope(envelope: Envelope, key: PrivateKey): Envelope {
  const sig = signWithKey(key, preAuthEncoding(envelope.payloadType, envelope.payload));
  return withSignature(envelope, { keyid: key.publicKey.keyid, sig });
}

/** Puts one signature in the place of any other under its keyid. The caller verifies it first. */
export function withSignature(envelope: Envelope, signature: EnvelopeSignature): Envelope {
  const others = envelope.signatures.filter(({ keyid }) => keyid !== signature.keyid);
  return { ...envelope, signatures: [...others, signature] };
}

/**
 * Puts the signatures of copies that were signed apart onto one envelope. Nothing is verified, so two signatures under
 * one keyid both stay: a copy with a broken one must not push out the good one.
 * @throws CoreError PAYLOADS_DIFFER when a copy holds another document
 */
export function mergeSignatures(first: Envelope, copies: readonly Envelope[]): Envelope {
  const signatures = new Map<string, EnvelopeSignature>();
  for (const copy of [first, ...copies]) {
    if (copy.payloadType !== first.payloadType || !equalBytes(copy.payload, first.payload)) {
      const message = 'a copy was signed over another document; everybody must sign the same';
      throw new CoreError('PAYLOADS_DIFFER', message, { fault: 'untrusted' });
    }
    for (const signature of copy.signatures) {
      signatures.set(`${signature.keyid} ${encodeHex(signature.sig)}`, signature);
    }
  }
  return { ...first, signatures: [...signatures.values()] };
}

/**
 * The keys among `candidates` under which some signature of the envelope is valid, each at most once, in the order of
 * `candidates`. A signature only counts under the key its keyid names; listing one twice changes nothing.
 */
export function signingKeys(envelope: Envelope, candidates: readonly PublicKey[]): PublicKey[] {
  const message = preAuthEncoding(envelope.payloadType, envelope.payload);
  return candidates.filter((key) =>
    envelope.signatures.some(({ keyid, sig }) => keyid === key.keyid && verifyWithKey(key, message, sig)),
  );
}

/** Identity of a signed document: the digest of its payload, never of its envelope. */
export function payloadDigest(envelope: Envelope): Digest {
  return sha256Digest(envelope.payload);
}
