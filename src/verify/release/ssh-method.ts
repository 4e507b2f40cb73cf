import { escapeForTerminal } from '../../core/terminal-text.ts';
import { type PreparedMethod, prepare } from './prepared.ts';
import { parseAllowedSigners } from './ssh/allowed-signers.ts';
import { sshFingerprint } from './ssh/public-key.ts';
import { NO_REVOKED_KEYS, parseRevokedKeys } from './ssh/revoked-keys.ts';
import { parseSshSignature, presenceWords } from './ssh/signature.ts';
import { type SshTrust, verifySsh } from './ssh/verify.ts';

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
