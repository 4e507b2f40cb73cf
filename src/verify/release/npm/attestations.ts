import { type Check, failed, passed, type Signer, verdictOf } from '../../../core/checks.ts';
import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import type { Artifact, MethodOutcome } from '../method.ts';
import { judgeProvenance } from '../provenance/judge.ts';
import type { ReleasePolicy } from '../provenance/policy.ts';
import { SLSA_V1, SLSA_V02 } from '../provenance/slsa.ts';
import type { IdentityExpectation } from '../sigstore/identity.ts';
import { folded } from '../sigstore/many.ts';
import { bundleFromObject } from '../sigstore/read-bundle.ts';
import { readProtobufJson } from '../sigstore/read-json.ts';
import type { SigstoreRoot } from '../sigstore/trusted-root.ts';
import { type SigstoreOutcome, verifyReadBundle } from '../sigstore/verify-bundle.ts';
import { runStages } from '../stages.ts';
import { findRegistryKey, type RegistryKey } from './registry-keys.ts';
import type { PackageName } from './registry-signature.ts';

/** https://github.com/npm/attestation/tree/main/specs/publish/v0.1: the registry's own word on what was published. */
const PUBLISH = 'https://github.com/npm/attestation/tree/main/specs/publish/v0.1';

const SLSA: readonly string[] = [SLSA_V1, SLSA_V02];

export type NpmTrust = {
  readonly root: SigstoreRoot;
  readonly keys: readonly RegistryKey[];
  /** Who must have built it. */
  readonly identity: IdentityExpectation;
  readonly policy?: ReleasePolicy;
};

/**
 * Verifies a package by its attestations, as the registry gives them (`/-/npm/v1/attestations/NAME@VERSION`): the
 * registry's own about the publishing, under its pinned key, and the build's provenance. Both must be there, once each,
 * and be about this package by name, version and digest.
 */
export function verifyNpmAttestations(
  artifact: Artifact,
  bytes: Uint8Array,
  wanted: PackageName,
  trust: NpmTrust,
): MethodOutcome {
  let publish: JsonObject | undefined;
  let provenance: JsonObject | undefined;
  const [material] = runStages([
    {
      name: 'material',
      run: () => {
        [publish, provenance] = readAttestations(bytes);
        return "the registry's attestations";
      },
    },
  ]);
  if (publish === undefined || provenance === undefined || material === undefined) {
    return { checks: [material ?? failed('material', 'MATERIAL_MALFORMED', 'nothing was read')], signers: [] };
  }
  const { root, keys, identity, policy } = trust;
  const published = registryOutcome(artifact, publish, keys, root);
  const built = verifyReadBundle(artifact, readerOf(provenance), { root, identity });
  const checks = [
    material,
    folded('publish', published),
    folded('build', built),
    subjectCheck(wanted, published, built),
    ...(policy === undefined
      ? []
      : [judgeProvenance(built.proof === undefined ? [] : [{ ...built, proof: built.proof }], policy)]),
  ];
  const signers: Signer[] = [...published.signers.map((signer) => ({ ...signer, role: 'registry' })), ...built.signers];
  return { checks, signers: verdictOf(checks) === 'trusted' ? signers : [] };
}

function registryOutcome(
  artifact: Artifact,
  bundle: JsonObject,
  keys: readonly RegistryKey[],
  root: SigstoreRoot,
): SigstoreOutcome {
  try {
    const key = findRegistryKey(keys, hintOf(bundle), 'attestations');
    return verifyReadBundle(artifact, readerOf(bundle), { root, key });
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    return { checks: [failed('key', error.code, error.message)], signers: [] };
  }
}

/** The name under which the bundle says its key is known: it only chooses among the pinned ones. */
function hintOf(bundle: JsonObject): string {
  const material = bundle['verificationMaterial'];
  const key = isJsonObject(material) ? material['publicKey'] : undefined;
  const hint = isJsonObject(key) ? key['hint'] : undefined;
  return typeof hint === 'string' ? hint : '';
}

function readerOf(bundle: JsonObject): () => ReturnType<typeof bundleFromObject> {
  return () => bundleFromObject(bundle);
}

/**
 * A good attestation about the same bytes under another name would let one package pass for another. What lies around
 * the bundles says of what type they are; only what was signed counts.
 */
function subjectCheck(wanted: PackageName, published: SigstoreOutcome, built: SigstoreOutcome): Check {
  const purl = `pkg:npm/${wanted.name.replace(/^@/, '%40')}@${wanted.version}`;
  const name = escapeForTerminal(`${wanted.name}@${wanted.version}`);
  const [aboutPublishing, aboutBuild] = [published.proof?.statement, built.proof?.statement];
  if ([aboutPublishing, aboutBuild].some((said) => said?.subjects.length !== 1 || said.subjects[0]?.name !== purl)) {
    return failed('package', 'SUBJECT_MISMATCH', `an attestation is not about ${name}`);
  }
  if (aboutPublishing?.predicateType !== PUBLISH || !SLSA.includes(aboutBuild?.predicateType ?? '')) {
    return failed('package', 'PREDICATE_TYPE', 'an attestation is of another type than it is said to be');
  }
  return passed('package', `both are about ${name}`);
}

/** @throws ReleaseError MATERIAL_MALFORMED, PROVENANCE_MISSING */
function readAttestations(bytes: Uint8Array): [JsonObject, JsonObject] {
  const entries = entriesOf(bytes);
  const only = (types: readonly string[], what: string): JsonObject => {
    const [first, second] = entries.filter(({ type }) => types.includes(type));
    if (second !== undefined) throw new ReleaseError('SIGNATURE_COUNT', `there are two attestations of the ${what}`);
    if (first === undefined) throw new ReleaseError('PROVENANCE_MISSING', `there is no attestation of the ${what}`);
    return first.bundle;
  };
  return [only([PUBLISH], 'publishing'), only(SLSA, 'build')];
}

function entriesOf(bytes: Uint8Array): { type: string; bundle: JsonObject }[] {
  try {
    const { attestations } = readProtobufJson(bytes, "package's attestations", 'MATERIAL_MALFORMED');
    if (!Array.isArray(attestations)) throw new Error('it has no list of attestations');
    return attestations.map((entry) => {
      const { predicateType, bundle } = isJsonObject(entry) ? entry : {};
      if (typeof predicateType !== 'string' || !isJsonObject(bundle)) throw new Error('an entry has no type or bundle');
      return { type: predicateType, bundle };
    });
  } catch (cause) {
    if (cause instanceof ReleaseError) throw cause;
    throw new ReleaseError('MATERIAL_MALFORMED', `not a package's attestations: ${messageOf(cause)}`, { cause });
  }
}
