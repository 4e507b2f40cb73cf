import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verdictOf } from '../../../../src/core/checks.ts';
import { publicGoodRoot, readTrustedRoot } from '../../../../src/verify/release/sigstore/trusted-root.ts';
import { type SigstoreTrust, verifySigstoreBundle } from '../../../../src/verify/release/sigstore/verify-bundle.ts';
import {
  attestationBundle,
  bundleBytes,
  leaf,
  messageBundle,
  OWN_IDENTITY,
  OWN_ISSUER,
  ownRoot,
  statementAbout,
} from '../../../support/sigstore-authority.ts';
import { artifactOf, BEACON, SIGSTORE_VECTORS, sigstoreVectors } from '../../../support/sigstore-vectors.ts';
import { runs } from '../../../support/slow.ts';

const ARTIFACT = Buffer.from('the release\n');
const artifact = artifactOf(ARTIFACT);
const own: SigstoreTrust = {
  root: readTrustedRoot(ownRoot(), 'own'),
  identity: { identity: OWN_IDENTITY, issuer: OWN_ISSUER },
};
const about = statementAbout([{ name: 'release', digest: { sha256: artifact.digests.sha256 } }]);
const happy = sigstoreVectors().find(({ name }) => name === 'happy-path-v0.3')?.paths;

type Base = readonly [name: string, bytes: Uint8Array, artifact: typeof artifact, trust: SigstoreTrust];
const bases: Base[] = [
  ['a signature', bundleBytes(messageBundle(leaf(), ARTIFACT)), artifact, own],
  ['an attestation', bundleBytes(attestationBundle(leaf(), about)), artifact, own],
  ...(SIGSTORE_VECTORS === undefined || happy === undefined
    ? []
    : [
        [
          'happy-path-v0.3',
          readFileSync(happy.bundle),
          artifactOf(readFileSync(happy.artifact)),
          { root: publicGoodRoot(), identity: BEACON },
        ] as const,
      ]),
];

/** What a bundle says, without its version, which several may share. */
function said(bytes: Uint8Array): unknown {
  return { ...(JSON.parse(Buffer.from(bytes).toString()) as object), mediaType: '' };
}

const edit = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom('set', 'cut', 'insert', 'digit') });

function mutate(bytes: Uint8Array, edits: readonly { at: number; byte: number; kind: string }[]): Uint8Array {
  let copy = Buffer.from(bytes);
  for (const { at, byte, kind } of edits) {
    const i = at % copy.length;
    // A character that base64 and decimals have too, so that the change gets past the form.
    const digit = '0123456789ABCDEFabcdef+/='.charCodeAt(byte % 25);
    if (kind === 'set') copy[i] = byte;
    else if (kind === 'digit') copy[i] = digit;
    else
      copy = Buffer.concat([
        copy.subarray(0, i),
        kind === 'cut' ? Buffer.alloc(0) : Buffer.from([digit]),
        copy.subarray(i + (kind === 'cut' ? 1 : 0)),
      ]);
  }
  return copy;
}

describe.each(bases)('%s, altered', (_, bytes, signed, trust) => {
  it('is accepted as it is', () => {
    expect(verdictOf(verifySigstoreBundle(signed, bytes, trust).checks)).toBe('trusted');
  });

  it('is refused, and never breaks the verifier', () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        const altered = mutate(bytes, edits);
        const { checks } = verifySigstoreBundle(signed, altered, trust);
        if (verdictOf(checks) === 'trusted') expect(said(altered)).toEqual(said(bytes));
      }),
      { numRuns: runs(60, 5000) },
    );
  });
});
