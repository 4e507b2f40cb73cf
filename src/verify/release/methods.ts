import { type Check, failed, passed, type Signer } from '../../core/checks.ts';
import { DaemonEyeError } from '../../core/errors.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { reasonOf } from '../errors.ts';
import type { Message, MessageHash } from './message.ts';
import type { MethodOutcome } from './method.ts';
import { minisignNeeds, parseMinisignKey, parseMinisignSignature, verifyMinisign } from './minisign.ts';
import { rawNeeds, verifyRaw } from './raw-key.ts';
import { parseReleaseKey } from './release-key.ts';
import { parseSignifyKey, parseSignifySignature, type SignifySignature, verifySignify } from './signify.ts';
import { parseAllowedSigners } from './ssh/allowed-signers.ts';
import { sshFingerprint } from './ssh/public-key.ts';
import { NO_REVOKED_KEYS, parseRevokedKeys } from './ssh/revoked-keys.ts';
import { parseSshSignature, presenceWords } from './ssh/signature.ts';
import { type SshTrust, verifySsh } from './ssh/verify.ts';

/** What a method has to be told of the message: hashes, or all of it. */
export type MessageNeed = MessageHash | 'whole';

/** One signature with the trust to judge it by, ready for the message. */
export type PreparedMethod = {
  /** Of its check, or the first of its checks. */
  readonly name: string;
  readonly needs: readonly MessageNeed[];
  readonly verify: (message: Message) => MethodOutcome;
  /** The signed text where it travels in the signature file itself; then that is the message. */
  readonly embedded?: Uint8Array;
};

type Found = { readonly reason: string; readonly signer: Signer; readonly detail?: Check['detail'] };

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
      return { signer, reason: `signed by minisign key ${keyId}; it says: ${comment}`, detail: { form, comment } };
    },
  }));
}

/** @throws ReleaseError SIGNIFY_KEY_MALFORMED, MATERIAL_TOO_LARGE */
export function prepareSignify(signature: Uint8Array, key: Uint8Array): PreparedMethod {
  const trusted = parseSignifyKey(key);
  const judgeBy = (parsed: SignifySignature) => (message: Message) => ({
    signer: verifySignify(message, parsed, trusted),
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
      const how = presence === undefined ? '' : `, a security key, ${presence}`;
      const detail = { fingerprint, namespace: parsed.namespace, keyType: parsed.key.type };
      const who = escapeForTerminal(signer.identity ?? '');
      return { signer, reason: `signed by ${who} with ${fingerprint}${how}, for "${parsed.namespace}"`, detail };
    },
  }));
}

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
        return { signer, reason: `signed by ${trusted.handle.asymmetricKeyType} key ${signer.keyid}` };
      },
    }),
  );
}

/** A method that has no signature to judge. */
export function missingSignature(name: string, reason: string): PreparedMethod {
  return { name, needs: [], verify: () => ({ checks: [failed(name, 'SIGNATURE_MISSING', reason)], signers: [] }) };
}

type Readied = {
  readonly needs: readonly MessageNeed[];
  readonly judge: (message: Message) => Found;
  readonly embedded?: Uint8Array;
};

/** A signature that can't be read is a failed check, not an error: it is the publisher's, or an attacker's. */
function prepare<T>(
  name: string,
  signature: Uint8Array,
  parse: (bytes: Uint8Array) => T,
  ready: (parsed: T) => Readied,
): PreparedMethod {
  let readied: Readied;
  try {
    readied = ready(parse(signature));
  } catch (error) {
    const refusal = refused(name, error);
    return { name, needs: [], verify: () => refusal };
  }
  const { needs, judge, embedded } = readied;
  return {
    name,
    needs,
    verify: (message) => {
      try {
        const { reason, signer, detail } = judge(message);
        return { checks: [passed(name, reason, detail)], signers: [signer] };
      } catch (error) {
        return refused(name, error);
      }
    },
    ...(embedded === undefined ? {} : { embedded }),
  };
}

function refused(name: string, error: unknown): MethodOutcome {
  if (!(error instanceof DaemonEyeError)) throw error;
  return { checks: [failed(name, error.code, reasonOf(error))], signers: [] };
}
