import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { Message } from './message.ts';
import { minisignNeeds, parseMinisignKey, parseMinisignSignature, verifyMinisign } from './minisign.ts';
import { type PreparedMethod, prepare } from './prepared.ts';
import { parseSignifyKey, parseSignifySignature, type SignifySignature, verifySignify } from './signify.ts';
import { parseAllowedSigners } from './ssh/allowed-signers.ts';
import { sshFingerprint } from './ssh/public-key.ts';
import { NO_REVOKED_KEYS, parseRevokedKeys } from './ssh/revoked-keys.ts';
import { parseSshSignature, presenceWords } from './ssh/signature.ts';
import { type SshTrust, verifySsh } from './ssh/verify.ts';

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
      return {
        signers: [signer],
        reason: `signed by minisign key ${keyId}; it says: ${comment}`,
        detail: { form, comment },
      };
    },
  }));
}

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

export type SshMaterial = Pick<SshTrust, 'namespace' | 'identity' | 'floor'> & {
  readonly signers: Uint8Array;
  readonly revoked?: Uint8Array | undefined;
};

/** @throws ReleaseError SSH_SIGNERS_MALFORMED, SSH_REVOKED_MALFORMED, MATERIAL_TOO_LARGE */
export function prepareSsh(signature: Uint8Array, { signers, revoked, ...rest }: SshMaterial): PreparedMethod {
  const trust = {
    ...rest,
    signers: parseAllowedSigners(signers),
    revoked: revoked === undefined ? NO_REVOKED_KEYS : parseRevokedKeys(revoked),
  };
  return prepare('ssh', signature, parseSshSignature, (parsed) => ({
    needs: [parsed.hash],
    judge: (message) => {
      const signer = verifySsh(message, parsed, trust);
      const [fingerprint, presence] = [sshFingerprint(parsed.key.blob), presenceWords(parsed)];
      const { certificate } = parsed.key;
      const how = presence === undefined ? '' : `, a security key, ${presence}`;
      const by = certificate === undefined ? '' : `, certified by ${sshFingerprint(certificate.authority.blob)}`;
      const certified =
        certificate === undefined
          ? {}
          : { certificate: escapeForTerminal(certificate.id), serial: `${certificate.serial}` };
      const detail = { fingerprint, namespace: parsed.namespace, keyType: parsed.key.type, ...certified };
      const who = escapeForTerminal(signer.identity ?? '');
      return {
        signers: [signer],
        reason: `signed by ${who} with ${fingerprint}${how}${by}, for "${parsed.namespace}"`,
        detail,
      };
    },
  }));
}
