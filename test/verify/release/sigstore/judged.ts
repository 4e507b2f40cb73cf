import { expect } from 'vitest';
import { decidingCheck, verdictOf } from '../../../../src/core/checks.ts';
import { readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { type SigstoreTrust, verifySigstoreBundle } from '../../../../src/verify/release/sigstore/verify-bundle.ts';
import {
  bundleBytes,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  type RootOptions,
  type SignedBundle,
} from '../../../support/sigstore-authority.ts';
import { artifactOf } from '../../../support/sigstore-vectors.ts';

export const ARTIFACT = Buffer.from('the release\n');

/** Trust in the expected signer under one's own root. */
export function ownTrust(options: RootOptions = {}): SigstoreTrust {
  const root = readTrustedRoot(ownRoot(options), 'own');
  return { root, identity: { identity: OWN_IDENTITY, issuer: OWN_ISSUER } };
}

const OWN = ownTrust();

export type JudgeOptions = {
  readonly trust?: SigstoreTrust;
  readonly artifact?: Uint8Array;
  readonly inMemory?: boolean;
};

/** `undefined` for a yes, else where and why not. */
export function refusal(bundle: SignedBundle | Uint8Array, options: JudgeOptions = {}): string | undefined {
  const bytes = bundle instanceof Uint8Array ? bundle : bundleBytes(bundle);
  const artifact = artifactOf(options.artifact ?? ARTIFACT, { inMemory: options.inMemory ?? false });
  const { checks, signers, proof } = verifySigstoreBundle(artifact, bytes, options.trust ?? OWN);
  if (verdictOf(checks) === 'trusted') return undefined;
  expect(signers).toEqual([]);
  expect(proof).toBeUndefined();
  const deciding = decidingCheck({ checks } as never);
  return `${deciding?.name} ${deciding?.code}`;
}

/** JSON of which a test may change anything. */
export type Loose = { [key: string]: Loose } & Loose[];

/** A copy of a bundle after an edit. */
export function edited(bundle: SignedBundle, edit: (copy: never) => void): SignedBundle {
  const copy = structuredClone(bundle);
  edit(copy as never);
  return copy;
}

export const material = (copy: Loose): Loose => copy['verificationMaterial'] as Loose;
export const entryOf = (copy: Loose): Loose => (material(copy)['tlogEntries'] as Loose)[0] as Loose;
