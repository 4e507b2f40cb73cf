import { BUNDLE_PAYLOAD_TYPE } from '../../bundle/format.ts';
import { type Envelope, parseEnvelope } from '../../core/dsse.ts';
import { count } from '../../core/wording.ts';
import { VerifyError } from '../errors.ts';

/**
 * A DSSE envelope of the one type a bundle's statement has, with at least one signature; its payload is not looked at.
 * @throws VerifyError UNSIGNED; CoreError ENVELOPE_TOO_LARGE, ENVELOPE_MALFORMED or PAYLOAD_TYPE
 */
export function checkEnvelope(bytes: Uint8Array): { readonly envelope: Envelope; readonly reason: string } {
  const envelope = parseEnvelope(bytes, BUNDLE_PAYLOAD_TYPE);
  // What `bundle build` leaves for its signers, or what is left when signatures were stripped.
  if (envelope.signatures.length === 0) throw new VerifyError('UNSIGNED', 'the bundle is not signed');
  return { envelope, reason: `DSSE envelope with ${count(envelope.signatures.length, 'signature')}` };
}
