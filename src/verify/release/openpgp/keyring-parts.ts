import { ReleaseError } from '../errors.ts';
import type { DatedPart } from '../sigstore/root-parts.ts';
import { judgeCertificate, shownUser, timeOf } from './certificate.ts';
import { type Certificate, parseKeyring } from './keyring.ts';

/**
 * The keys of a keyring that may sign data, and when they count by their owners' own words. These are verified only when
 * one of them signed something: who gives the keyring vouches for it byte for byte.
 * @throws ReleaseError PGP_KEYRING_MALFORMED, or why the only key can't sign
 */
export function keyringParts(bytes: Uint8Array): DatedPart[] {
  const judged = [...parseKeyring(bytes).certificates.values()].flatMap(signingKeys);
  const parts = judged.flatMap((one) => ('what' in one ? [one] : []));
  if (parts.length > 0) return parts;
  throw judged.find((one) => one instanceof ReleaseError);
}

function signingKeys(certificate: Certificate): (DatedPart | ReleaseError)[] {
  return [certificate, ...certificate.subkeys].map(({ key }) => {
    try {
      const made = Math.max(key.created, certificate.key.created);
      const { user, until } = judgeCertificate({ certificate, key }, made, 0);
      const end = until === undefined ? {} : { end: timeOf(until) };
      return {
        what: 'OpenPGP key',
        name: `${key.fingerprint.toUpperCase()} ${shownUser(user)}`,
        start: timeOf(made),
        ...end,
      };
    } catch (error) {
      if (error instanceof ReleaseError) return error;
      throw error;
    }
  });
}
