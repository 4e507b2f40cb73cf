import { encodeBase64 } from '../../../core/bytes.ts';
import { messageOf } from '../../../core/errors.ts';
import { malformedAs, readText } from '../text.ts';
import { KRL_MAGIC, MAX_SIGNERS_BYTES } from './format.ts';
import { parseKeyWords } from './public-key.ts';

const bad = malformedAs('SSH_REVOKED_MALFORMED', 'not a list of revoked SSH keys');

/** Keys that count no more, by their wire form. */
export type RevokedSshKeys = { readonly has: (blob: Uint8Array) => boolean };

export const NO_REVOKED_KEYS: RevokedSshKeys = { has: () => false };

/**
 * Parses a list of revoked keys: public keys, one a line. A line that can't be read refuses the list: it may be the one
 * that matters.
 * @throws ReleaseError SSH_REVOKED_MALFORMED (also for OpenSSH's binary KRL, which is not read here)
 */
export function parseRevokedKeys(bytes: Uint8Array): RevokedSshKeys {
  if (KRL_MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw bad(
      'it is a binary key revocation list (KRL), which is not supported; give the revoked public keys, one a line',
    );
  }
  const revoked = new Set<string>();
  readText(bytes, MAX_SIGNERS_BYTES, bad)
    .split('\n')
    .forEach((line, i) => {
      const [type, base64] = line.trim().split(/[ \t]+/);
      if (type === undefined || type === '' || type.startsWith('#')) return;
      try {
        revoked.add(encodeBase64(parseKeyWords(type, base64 ?? '')));
      } catch (cause) {
        throw bad(`line ${i + 1}: ${messageOf(cause)}`, cause);
      }
    });
  return { has: (blob) => revoked.has(encodeBase64(blob)) };
}
