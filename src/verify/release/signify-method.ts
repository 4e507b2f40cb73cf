import type { Message } from './message.ts';
import { type PreparedMethod, prepare } from './prepared.ts';
import { parseSignifyKey, parseSignifySignature, type SignifySignature, verifySignify } from './signify.ts';

/** @throws ReleaseError SIGNIFY_KEY_MALFORMED, MATERIAL_TOO_LARGE */
export function prepareSignify(signature: Uint8Array, key: Uint8Array): PreparedMethod {
  const trusted = parseSignifyKey(key);
  const judgeBy = (parsed: SignifySignature) => (message: Message) => ({
    signers: [verifySignify(message, parsed, trusted)],
    reason: 'signed by the trusted signify key',
  });
  return prepare('signify', signature, parseSignifySignature, (parsed) => ({
    needs: ['whole'],
    judge: judgeBy(parsed),
    ...(parsed.embedded === undefined ? {} : { embedded: parsed.embedded }),
  }));
}
