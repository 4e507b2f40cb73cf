import { escapeForTerminal } from '../../core/terminal-text.ts';
import { minisignNeeds, parseMinisignKey, parseMinisignSignature, verifyMinisign } from './minisign.ts';
import { type PreparedMethod, prepare } from './prepared.ts';

/**
 * @param key a public key file
 * @throws ReleaseError MINISIGN_KEY_MALFORMED, MATERIAL_TOO_LARGE: what is wrong with the signature is for the report
 */
export function prepareMinisign(signature: Uint8Array, key: Uint8Array): PreparedMethod {
  const trusted = parseMinisignKey(key);
  return prepare('minisign', signature, parseMinisignSignature, (parsed) => ({
    needs: [minisignNeeds(parsed)],
    judge: (message) => {
      const { signer, trustedComment, keyId } = verifyMinisign(message, parsed, trusted);
      const comment = escapeForTerminal(trustedComment);
      const form = parsed.algorithm;
      const reason = `signed by minisign key ${keyId}; it says: ${comment}`;
      return { signers: [signer], reason, detail: { form, comment } };
    },
  }));
}
