import { encodeBase64 } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { assertSize, malformedAs, readText } from '../text.ts';
import { plainBlob, type SshSigner } from './certificate.ts';
import { MAX_KRL_BYTES, MAX_SIGNERS_BYTES } from './format.ts';
import { isKrl, parseKrl } from './krl.ts';
import { parseKeyWords } from './public-key.ts';

const bad = malformedAs('SSH_REVOKED_MALFORMED', 'not a list of revoked SSH keys');

/** Keys that count no more. A certified key counts no more when its authority doesn't either. */
export type RevokedSshKeys = { readonly has: (key: SshSigner) => boolean };

export const NO_REVOKED_KEYS: RevokedSshKeys = { has: () => false };

/**
 * Parses a list of revoked keys: OpenSSH's binary KRL, or public keys, one a line (a certificate stands for its key). A line
 * that can't be read refuses the list: it may be the one that matters.
 * @throws ReleaseError SSH_REVOKED_MALFORMED or MATERIAL_TOO_LARGE
 */
export function parseRevokedKeys(bytes: Uint8Array): RevokedSshKeys {
  if (isKrl(bytes)) {
    assertSize(bytes, MAX_KRL_BYTES, bad);
    return { has: parseKrl(bytes) };
  }
  const revoked = new Set<string>();
  readText(bytes, MAX_SIGNERS_BYTES, bad)
    .split('\n')
    .forEach((line, i) => {
      const [type, base64] = line.trim().split(/[ \t]+/);
      if (type === undefined || type === '' || type.startsWith('#')) return;
      try {
        revoked.add(encodeBase64(plainBlob(parseKeyWords(type, base64 ?? ''))));
      } catch (cause) {
        throw bad(`line ${i + 1}: ${messageOf(cause)}`, cause);
      }
    });
  const isListed = (blob: Uint8Array): boolean => revoked.has(encodeBase64(blob));
  return {
    has: ({ blob, certificate }) =>
      isListed(blob) || (certificate !== undefined && isListed(certificate.authority.blob)),
  };
}
