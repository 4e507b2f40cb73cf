import type { IdentityExpectation } from '../../verify/release/sigstore/identity.ts';
import type { SigstoreRoot } from '../../verify/release/sigstore/trusted-root.ts';
import type { SigstoreTrust } from '../../verify/release/sigstore/verify-bundle.ts';
import { usageError } from '../errors.ts';
import type { TrustFiles } from './trust-files-io.ts';

/** The trusted root that ships, by its name; a file of that name is `./public-good`. */
export const PUBLIC_GOOD = 'public-good';

export type SigstoreOptions = {
  readonly trustedRoot?: string | undefined;
  readonly identity?: string | undefined;
  readonly identityRegexp?: string | undefined;
  readonly issuer?: string | undefined;
  readonly withoutLog?: boolean | undefined;
};

/** Trust in somebody who is certified. */
export type CertifiedTrust = SigstoreTrust & { readonly identity: IdentityExpectation };

/** Whether a certificate is to be judged: then a bundle isn't judged by a plain key. */
export function wantsCertificate({ identityRegexp, issuer }: SigstoreOptions): boolean {
  return issuer !== undefined || identityRegexp !== undefined;
}

/**
 * Trust in a certified identity. All of it must be said: root, identity and issuer.
 * @throws CliError USAGE_OPTION; ReleaseError TRUSTED_ROOT_MALFORMED
 */
export async function certifiedTrust(options: SigstoreOptions, files: TrustFiles): Promise<CertifiedTrust> {
  const { trustedRoot, issuer, withoutLog } = options;
  if (trustedRoot === undefined) {
    throw usageError(
      'USAGE_OPTION',
      `say whose certificates count: --trusted-root FILE, or ${PUBLIC_GOOD}, which ships`,
    );
  }
  if (issuer === undefined)
    throw usageError('USAGE_OPTION', 'say with --issuer who must have vouched for the identity');
  if (withoutLog === true)
    throw usageError('USAGE_OPTION', '--without-log is for a plain --key; a certificate needs the log');
  return { root: await readRoot(trustedRoot, files), identity: expectedIdentity(options, issuer) };
}

/**
 * Trust in a plain key, for a bundle that has its signature in it. The signature must be in a log of the trusted root
 * (the public-good one, unless another is named): a log entry that was taken away looks like one that never was.
 * @throws ReleaseError KEY_REFUSED, TRUSTED_ROOT_MALFORMED
 */
export async function keyedTrust(
  key: Uint8Array,
  { trustedRoot, withoutLog }: SigstoreOptions,
  files: TrustFiles,
): Promise<SigstoreTrust> {
  const { parseReleaseKey } = await import('../../verify/release/release-key.ts');
  const root = await readRoot(trustedRoot ?? PUBLIC_GOOD, files);
  return { root, key: parseReleaseKey(key), thresholds: { logs: withoutLog === true ? 0 : 1 } };
}

function expectedIdentity({ identity, identityRegexp }: SigstoreOptions, issuer: string): IdentityExpectation {
  if (identity !== undefined && identityRegexp === undefined) return { identity, issuer };
  if (identity === undefined && identityRegexp !== undefined) return { identityPattern: identityRegexp, issuer };
  throw usageError('USAGE_OPTION', 'say who must have signed: either --identity WHO or --identity-regexp PATTERN');
}

async function readRoot(named: string, files: TrustFiles): Promise<SigstoreRoot> {
  const { publicGoodRoot, readTrustedRoot } = await import('../../verify/release/sigstore/trusted-root.ts');
  if (named === PUBLIC_GOOD) return publicGoodRoot();
  const { bytes, source } = await files.read(named, 'sigstore', '--trusted-root');
  return readTrustedRoot(bytes, source);
}
