import { type PreparedMethod, prepare } from './prepared.ts';
import { rawNeeds, verifyRaw } from './raw-key.ts';
import { parseReleaseKey } from './release-key.ts';

/** @throws ReleaseError KEY_REFUSED */
export function prepareRaw(signature: Uint8Array, key: Uint8Array): PreparedMethod {
  const trusted = parseReleaseKey(key);
  return prepare(
    'key',
    signature,
    (bytes) => bytes,
    () => ({
      needs: [rawNeeds(trusted)],
      judge: (message) => {
        const signer = verifyRaw(message, signature, trusted);
        return { signers: [signer], reason: `signed by ${trusted.handle.asymmetricKeyType} key ${signer.keyid}` };
      },
    }),
  );
}
