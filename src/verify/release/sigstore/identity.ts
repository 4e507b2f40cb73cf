import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';

/**
 * Who must have signed: the name in the certificate, and the account provider that vouched for it. Both are compared
 * whole: an unanchored pattern for `https://github.com/org/repo` also accepts `https://evil.example/?https://github.com/org/repo`.
 */
export type IdentityExpectation = {
  /** Exactly this name. */
  readonly identity?: string;
  /** Or a pattern (ECMAScript, with `v` rules) that the whole name must match. */
  readonly identityPattern?: string;
  /** Exactly this issuer. */
  readonly issuer: string;
};

export type CertifiedIdentity = { readonly identity: string; readonly issuer: string };

/**
 * @returns whether a certified name is the expected one
 * @throws ReleaseError IDENTITY_PATTERN (usage) if the pattern is none
 */
export function identityMatcher({ identity, identityPattern }: IdentityExpectation): (name: string) => boolean {
  if (identityPattern === undefined) return (name) => identity !== undefined && name === identity;
  try {
    // Alone first: `a)|(?:b` is no pattern, but would be one between our brackets, and anchored on one side only.
    new RegExp(identityPattern, 'v');
    const whole = new RegExp(`^(?:${identityPattern})$`, 'v');
    return (name) => whole.test(name);
  } catch (cause) {
    const message = `${escapeForTerminal(JSON.stringify(identityPattern.slice(0, 200)))} is not a pattern; for an exact name leave it out`;
    throw new ReleaseError('IDENTITY_PATTERN', message, { cause, fault: 'usage' });
  }
}

/** @throws ReleaseError IDENTITY_PATTERN, IDENTITY_MISMATCH or ISSUER_MISMATCH */
export function assertIdentity(expected: IdentityExpectation, { identity, issuer }: CertifiedIdentity): void {
  if (!identityMatcher(expected)(identity)) {
    const wanted = expected.identityPattern === undefined ? expected.identity : `match ${expected.identityPattern}`;
    throw new ReleaseError('IDENTITY_MISMATCH', `signed by ${shown(identity)}, but it must be ${shown(wanted ?? '?')}`);
  }
  if (issuer !== expected.issuer) {
    const message = `${shown(issuer)} vouched for the signer, but it must be ${shown(expected.issuer)}`;
    throw new ReleaseError('ISSUER_MISMATCH', message);
  }
}

function shown(name: string): string {
  return escapeForTerminal(name.slice(0, 300));
}
