import attestationSchema from '../../schemas/attestation.schema.json' with { type: 'json' };
import { compareUtf8 } from '../core/bytes.ts';
import { validateSchema } from '../core/schema.ts';
import type { JsonObject } from '../core/strict-json.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { type BundleError, untrusted } from './errors.ts';
import { MAX_MATERIAL_BYTES } from './format.ts';

/**
 * A third party's signature over one file of a bundle, and whom it must be of. The index is signed by as many as the
 * trust root asks for, so what it says of trust is theirs; the signature itself is another file of the same bundle.
 */
export type Attestation = {
  /** Install path in the same bundle of the signature, the sigstore bundle or the list of checksums. */
  readonly material: string;
} & (
  | { readonly type: 'minisign' | 'signify' /** The second line of a public key file. */; readonly key: string }
  | { readonly type: 'key' /** SPKI in PEM. */; readonly key: string }
  | { readonly type: 'ssh' /** Type and base64. */; readonly key: string; readonly namespace: string }
  /** The material is a list of checksums, which has a signature of its own in the same bundle. */
  | { readonly type: 'sums' }
  | ({ readonly type: 'sigstore'; readonly identity: string; readonly issuer: string } & SigstoreExtras)
  | ({ readonly type: 'sigstore-key' /** SPKI in PEM. */; readonly key: string } & SigstoreExtras)
);

type SigstoreExtras = {
  /**
   * Install path of a `trusted_root.json` in the same bundle, or `pin:` and a name that the trust root pins one by; without
   * it the root that ships with the verifier.
   */
  readonly trustedRoot?: string;
  /** What SLSA provenance in it must say (release-policy.schema.json); judged where it is used. */
  readonly policy?: JsonObject;
};

/** What of an index line counts here. */
export type AttestedFile = {
  readonly path: string;
  readonly size: number;
  readonly attestations?: readonly Attestation[];
};

/** @throws CoreError SCHEMA_MISMATCH for an unknown type or field, or a missing one */
export function parseAttestation(json: unknown): Attestation {
  return validateSchema<Attestation>(attestationSchema, json);
}

/** No install path has a colon, so a name never stands for a file, nor a file for a name. */
const PIN = 'pin:';

/** Paths of the other files that an attestation names. */
export function filesNamedBy(attestation: Attestation): string[] {
  const root = rootOf(attestation);
  return root === undefined || root.startsWith(PIN) ? [attestation.material] : [attestation.material, root];
}

/** The name of the pin that it rests on, if it does on one. */
export function pinNamedBy(attestation: Attestation): string | undefined {
  const root = rootOf(attestation);
  return root?.startsWith(PIN) === true ? root.slice(PIN.length) : undefined;
}

function rootOf(attestation: Attestation): string | undefined {
  return 'trustedRoot' in attestation ? attestation.trustedRoot : undefined;
}

/**
 * What attestations say is about files of the same index: each names others that are there and small enough to be what
 * it takes them for, a list of checksums has a signature of its own, and no material counts twice for one file.
 * @throws BundleError INDEX_ATTESTATION (fault `untrusted`)
 */
export function assertAttestations(files: readonly AttestedFile[]): void {
  const attested = files.filter(({ attestations }) => attestations !== undefined);
  if (attested.length === 0) return;
  const byPath = new Map(files.map((file) => [file.path, file]));
  for (const { path, attestations = [] } of attested) {
    attestations.forEach((attestation, i) => {
      const before = attestations[i - 1];
      // One order, and one signature once: whoever counts them must not be told of two.
      if (before !== undefined && compareUtf8(before.material, attestation.material) >= 0) {
        throw refused(path, 'its attestations are not in the order of their materials, each once');
      }
      for (const name of filesNamedBy(attestation)) assertNamed(path, name, byPath.get(name));
      const isSigned = byPath.get(attestation.material)?.attestations?.some(({ type }) => type !== 'sums') === true;
      if (attestation.type === 'sums' && !isSigned) {
        throw refused(path, `the list of checksums ${shown(attestation.material)} carries no signature of its own`);
      }
    });
  }
}

function assertNamed(path: string, name: string, file: AttestedFile | undefined): void {
  if (name === path) throw refused(path, 'it is named as its own signature');
  if (file === undefined) throw refused(path, `there is no file ${shown(name)}, which its attestation names`);
  if (file.size > MAX_MATERIAL_BYTES) throw refused(path, `${shown(name)} is over ${MAX_MATERIAL_BYTES} bytes`);
}

function refused(path: string, problem: string): BundleError {
  return untrusted('INDEX_ATTESTATION', `attestation of ${shown(path)}: ${problem}`);
}

function shown(path: string): string {
  return `"${escapeForTerminal(path.slice(0, 200))}"`;
}
