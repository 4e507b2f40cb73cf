import type { Check, Signer } from '../../core/checks.ts';

/**
 * What every method of release verification works on and gives back: sigstore, minisign, signify, SSH, raw signatures,
 * checksums. A method is a pure function of (artifact, material, trust, expectations): no file, clock or network. Time
 * comes from the material's own evidence, or as an argument.
 *
 * A method doesn't throw because of what the material says: whatever is wrong becomes a failed check with a code of
 * `ReleaseErrorCode`. It throws ReleaseError only where the caller's own side can't be used (a pattern or a policy file
 * that isn't one), with the fault that decides the exit code.
 */

/** The artifact, hashed once by whoever streamed it. */
export type Artifact = {
  /** What people call it, usually the file's path. From outside: never compared, only shown. */
  readonly name: string;
  /** Lower-case hex, without a prefix. Only sha256 is always there: the digest may be all that is known. */
  readonly digests: { readonly sha256: string; readonly sha384?: string; readonly sha512?: string };
  /** All of it, when it is small or the material needs it; a method that needs bytes and has none fails its check. */
  readonly bytes?: Uint8Array;
};

/** What a method found. Trusted only by `verdictOf(checks)`: skipped is not passed. */
export type MethodOutcome = {
  /** In the method's own fixed order; after the first failure the rest are `skipped`. Never empty. */
  readonly checks: readonly Check[];
  /** Who stands behind the artifact; empty unless every check about the signature passed. */
  readonly signers: readonly Signer[];
};
