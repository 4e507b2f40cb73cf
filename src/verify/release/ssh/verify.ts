import { equalBytes } from '../../../core/bytes.ts';
import type { Signer } from '../../../core/checks.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { parseTime, type Time } from '../../../core/time.ts';
import { ReleaseError, type ReleaseErrorCode } from '../errors.ts';
import type { Message } from '../message.ts';
import type { AllowedSigner } from './allowed-signers.ts';
import type { SshCertificate } from './certificate.ts';
import { matchesPatternList, plainNames } from './pattern.ts';
import { sshFingerprint } from './public-key.ts';
import type { RevokedSshKeys } from './revoked-keys.ts';
import { type SshSignature, verifySshSignature } from './signature.ts';

/** What an SSH signature is judged by. */
export type SshTrust = {
  readonly signers: readonly AllowedSigner[];
  readonly revoked: RevokedSshKeys;
  /** The namespace that the signature must be made for: `file`, unless the publisher says otherwise. */
  readonly namespace: string;
  /** Who must have signed; undefined: whoever the list names by a plain name. */
  readonly identity?: string | undefined;
  /** It is at least this moment. */
  readonly floor: Time;
};

/**
 * Checks the signature, that its key is not revoked, and that a line of the allowed signers admits it: its key, its
 * principal, its namespace, its time. A key under a certificate is admitted by lines of `cert-authority` alone, and as the
 * certificate says too; a plain key never is, least of all the authority's own.
 * @throws ReleaseError SSH_NAMESPACE, SSH_SIGNATURE, SSH_PRESENCE, SSH_REVOKED, SSH_SIGNER_UNKNOWN, SSH_PRINCIPAL,
 *   SSH_IDENTITY_NEEDED, SSH_VALIDITY or SSH_MALFORMED
 */
export function verifySsh(message: Message, signature: SshSignature, trust: SshTrust): Signer {
  const { key, namespace } = signature;
  if (namespace !== trust.namespace) {
    // A signature made for git or for a login means something else.
    const [made, wanted] = [namespace, trust.namespace].map((name) => escapeForTerminal(name));
    throw new ReleaseError('SSH_NAMESPACE', `the SSH signature was made for the namespace "${made}", not "${wanted}"`);
  }
  verifySshSignature(message, signature);
  const fingerprint = sshFingerprint(key.blob);
  const { certificate } = key;
  if (trust.revoked.has(key)) {
    const by = certificate === undefined ? '' : ', or its certificate, or who certified it,';
    throw new ReleaseError('SSH_REVOKED', `the SSH key ${fingerprint}${by} is revoked`);
  }
  const listed = (certificate?.authority ?? key).blob;
  const isCertified = certificate !== undefined;
  const own = trust.signers.filter(({ isAuthority, blob }) => isAuthority === isCertified && equalBytes(blob, listed));
  if (own.length === 0) {
    const who = isCertified
      ? `authority ${sshFingerprint(listed)} of the SSH key ${fingerprint}`
      : `SSH key ${fingerprint}`;
    throw new ReleaseError('SSH_SIGNER_UNKNOWN', `the ${who} is not among the allowed signers`);
  }
  const judged = own.map((line) => judge(line, trust, certificate));
  const admitted = judged.find((one) => 'identity' in one);
  if (admitted !== undefined) return { keyid: key.keyid, role: 'ssh', identity: admitted.identity };
  const refusals = judged.flatMap((one) => ('code' in one ? [one] : []));
  // The line that came furthest says most.
  const refusal = refusals.toSorted((a, b) => ORDER.indexOf(b.code) - ORDER.indexOf(a.code))[0];
  throw new ReleaseError(refusal?.code ?? 'SSH_SIGNER_UNKNOWN', `the SSH key ${fingerprint} ${refusal?.problem}`);
}

type Judged = { readonly identity: string } | { readonly code: ReleaseErrorCode; readonly problem: string };

const ORDER: readonly ReleaseErrorCode[] = ['SSH_PRINCIPAL', 'SSH_IDENTITY_NEEDED', 'SSH_NAMESPACE', 'SSH_VALIDITY'];

function judge(
  signer: AllowedSigner,
  { identity, namespace, floor }: SshTrust,
  certificate: SshCertificate | undefined,
): Judged {
  const { line, principals, namespaces, validAfter, validBefore } = signer;
  const names = plainNames(principals);
  const name = identity ?? names?.find((one) => certificate?.principals.includes(one)) ?? names?.[0];
  if (name === undefined) {
    const problem = `is allowed for "${escapeForTerminal(principals)}" (line ${line}): say with --identity who must have signed`;
    return { code: 'SSH_IDENTITY_NEEDED', problem };
  }
  if (!matchesPatternList(name, principals)) {
    const problem = `is allowed for "${escapeForTerminal(principals)}" (line ${line}), not for ${escapeForTerminal(name)}`;
    return { code: 'SSH_PRINCIPAL', problem };
  }
  if (certificate !== undefined) {
    const problem = certificateProblem(certificate, name, floor);
    if (problem !== undefined) return problem;
  }
  if (namespaces !== undefined && !matchesPatternList(namespace, namespaces)) {
    const problem = `is allowed for the namespaces "${escapeForTerminal(namespaces)}" only (line ${line})`;
    return { code: 'SSH_NAMESPACE', problem };
  }
  if (validBefore !== undefined && validBefore <= floor) {
    return {
      code: 'SSH_VALIDITY',
      problem: `was valid before ${validBefore} only (line ${line}); it is at least ${floor}`,
    };
  }
  if (validAfter !== undefined && validAfter > floor) {
    const problem = `is valid after ${validAfter} (line ${line}), and all that is known is that it is at least ${floor}; say with --floor if it is later`;
    return { code: 'SSH_VALIDITY', problem };
  }
  return { identity: name };
}

/** As `sshkey_cert_check_authority` of OpenSSH, with the floor for the time: the name is one of its names, without patterns. */
function certificateProblem(certificate: SshCertificate, name: string, floor: Time): Judged | undefined {
  const { principals, validAfter, validBefore, id } = certificate;
  const shownId = escapeForTerminal(id.slice(0, 80));
  if (!principals.includes(name)) {
    const shown = escapeForTerminal(principals.join(', ').slice(0, 200));
    return {
      code: 'SSH_PRINCIPAL',
      problem: `is certified for ${shown} ("${shownId}"), not for ${escapeForTerminal(name)}`,
    };
  }
  const now = BigInt(Math.floor(parseTime(floor) / 1000));
  if (validBefore <= now)
    return {
      code: 'SSH_VALIDITY',
      problem: `has a certificate ("${shownId}") that has ended; it is at least ${floor}`,
    };
  if (validAfter > now) {
    const problem = `has a certificate ("${shownId}") that begins later than all that is known, which is that it is at least ${floor}; say with --floor if it is later`;
    return { code: 'SSH_VALIDITY', problem };
  }
  return undefined;
}
