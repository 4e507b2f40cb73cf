import { encodeBase64, parseBase64 } from './bytes.ts';
import type { Envelope } from './dsse.ts';
import type { EmbeddedEnvelope } from './event-data.ts';

/** An envelope as it stands in a line of a log: whole, so that what was signed can be verified from the line alone. */
export function embedEnvelope({ payloadType, payload, signatures }: Envelope): EmbeddedEnvelope {
  return {
    payloadType,
    payload: encodeBase64(payload),
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: encodeBase64(sig) })),
  };
}

/** The envelope in a line. Nothing of it is verified. @throws CoreError BASE64_NOT_CANONICAL */
export function parseEmbeddedEnvelope({ payloadType, payload, signatures }: EmbeddedEnvelope): Envelope {
  return {
    payloadType,
    payload: parseBase64(payload),
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig: parseBase64(sig) })),
  };
}
