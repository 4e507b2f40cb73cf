import { DaemonEyeError } from '../../core/errors.ts';
import type { MessageNeed, PreparedMethod } from './prepared.ts';
import type { ReleasePolicy } from './provenance/policy.ts';
import type { ReleaseKey } from './release-key.ts';
import { identityMatcher } from './sigstore/identity.ts';
import { sigstoreMaterial, verifySigstoreMaterial } from './sigstore/material.ts';
import { readBundle } from './sigstore/read-bundle.ts';
import { trustedRootCheck } from './sigstore/report.ts';
import { signedDigest } from './sigstore/signature-content.ts';
import { readStatement } from './sigstore/statement.ts';
import type { SigstoreTrust } from './sigstore/verify-bundle.ts';

const SUBJECT_HASHES = ['sha256', 'sha384', 'sha512'] as const;

/**
 * A sigstore bundle, several by the line, or cosign's own form: a signature over the message, or an attestation about it.
 * @param policy what provenance in it must say; nothing else is accepted then
 * @throws ReleaseError IDENTITY_PATTERN
 */
export function prepareSigstore(bundle: Uint8Array, trust: SigstoreTrust, policy?: ReleasePolicy): PreparedMethod {
  if (trust.identity !== undefined) identityMatcher(trust.identity);
  return {
    name: 'sigstore',
    needs: sigstoreNeeds(bundle, trust.key),
    verify: (message) => {
      const { checks, signers } = verifySigstoreMaterial(message, bundle, trust, policy);
      return { checks: [trustedRootCheck(trust.root), ...checks], signers };
    },
  };
}

/** What cannot be read is refused later, by its own check. */
function sigstoreNeeds(bytes: Uint8Array, key: ReleaseKey | undefined): MessageNeed[] {
  // Of several, none is looked into before its turn: each may name any of these.
  if (sigstoreMaterial(bytes) !== 'bundle') return [...SUBJECT_HASHES];
  try {
    const { content } = readBundle(bytes);
    if (content.$case === 'dsseEnvelope') {
      const { payloadType, payload } = content.dsseEnvelope;
      const named = readStatement(payloadType, payload).subjects.flatMap(({ digests }) => Object.keys(digests));
      return SUBJECT_HASHES.filter((hash) => named.includes(hash));
    }
    const isWhole = key?.handle.asymmetricKeyType === 'ed25519';
    return [signedDigest(content.messageSignature).hash, ...(isWhole ? (['whole'] as const) : [])];
  } catch (error) {
    if (!(error instanceof DaemonEyeError)) throw error;
    return [];
  }
}
