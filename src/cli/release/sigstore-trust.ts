import { escapeForTerminal } from '../../core/terminal-text.ts';
import type { ReleasePolicy } from '../../verify/release/provenance/policy.ts';
import type { IdentityExpectation } from '../../verify/release/sigstore/identity.ts';
import type { SigstoreRoot } from '../../verify/release/sigstore/trusted-root.ts';
import { usageError } from '../errors.ts';
import type { Trusted } from './choose.ts';
import { readMaterial } from './signatures-io.ts';

/** The trusted root that ships, by its name; a file of that name is `./public-good`. */
export const PUBLIC_GOOD = 'public-good';

export type SigstoreOptions = {
  readonly trustedRoot?: string | undefined;
  readonly identity?: string | undefined;
  readonly identityRegexp?: string | undefined;
  readonly issuer?: string | undefined;
};

/** Whether a certificate is to be judged: then a bundle isn't judged by a plain key. */
export function wantsCertificate({ identityRegexp, issuer }: SigstoreOptions): boolean {
  return issuer !== undefined || identityRegexp !== undefined;
}

/**
 * Trust in a certified identity. All of it must be said: root, identity and issuer.
 * @throws CliError USAGE_OPTION; ReleaseError TRUSTED_ROOT_MALFORMED, IDENTITY_PATTERN
 */
export async function certifiedTrust(options: SigstoreOptions, policy?: ReleasePolicy): Promise<Trusted> {
  const { trustedRoot, issuer } = options;
  if (trustedRoot === undefined) {
    throw usageError(
      'USAGE_OPTION',
      `say whose certificates count: --trusted-root FILE, or ${PUBLIC_GOOD}, which ships`,
    );
  }
  if (issuer === undefined)
    throw usageError('USAGE_OPTION', 'say with --issuer who must have vouched for the identity');
  const trust = { root: await readRoot(trustedRoot), identity: expectedIdentity(options, issuer) };
  const { prepareSigstore } = await import('../../verify/release/sigstore-method.ts');
  return {
    name: 'sigstore',
    option: '--trusted-root',
    kinds: ['sigstore'],
    prepare: ({ bytes }) => prepareSigstore(bytes, trust, policy),
  };
}

function expectedIdentity({ identity, identityRegexp }: SigstoreOptions, issuer: string): IdentityExpectation {
  if (identity !== undefined && identityRegexp === undefined) return { identity, issuer };
  if (identity === undefined && identityRegexp !== undefined) return { identityPattern: identityRegexp, issuer };
  throw usageError('USAGE_OPTION', 'say who must have signed: either --identity WHO or --identity-regexp PATTERN');
}

/**
 * Trust in a plain key, for a bundle that has its signature in it. With a trusted root the signature must be in one of
 * its logs, too.
 */
export async function keyedTrust(
  key: Uint8Array,
  trustedRoot: string | undefined,
  policy?: ReleasePolicy,
): Promise<Trusted['prepare']> {
  const [{ parseReleaseKey }, { prepareSigstore }, root] = await Promise.all([
    import('../../verify/release/release-key.ts'),
    import('../../verify/release/sigstore-method.ts'),
    readRoot(trustedRoot ?? PUBLIC_GOOD),
  ]);
  const logs = trustedRoot === undefined ? 0 : 1;
  const trust = { root, key: parseReleaseKey(key), thresholds: { logs } };
  return ({ bytes }) => prepareSigstore(bytes, trust, policy);
}

async function readRoot(named: string): Promise<SigstoreRoot> {
  const { publicGoodRoot, readTrustedRoot } = await import('../../verify/release/sigstore/trusted-root.ts');
  if (named === PUBLIC_GOOD) return publicGoodRoot();
  return readTrustedRoot(readMaterial(named), escapeForTerminal(named));
}
