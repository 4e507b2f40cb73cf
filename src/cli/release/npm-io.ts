import type { PackageName } from '../../verify/release/npm/registry-signature.ts';
import type { RegistryTrust } from '../../verify/release/npm/registry-trust.ts';
import type { PreparedMethod } from '../../verify/release/prepared.ts';
import { usageError } from '../errors.ts';
import { readPolicyFile } from './provenance-io.ts';
import { readMaterial } from './signatures-io.ts';
import { certifiedTrust, type SigstoreOptions } from './sigstore-trust.ts';
import type { TrustFiles } from './trust-files-io.ts';

export type NpmOptions = SigstoreOptions & {
  /** `NAME@VERSION` that FILE must be. */
  readonly npm?: string | undefined;
  /** With `npm`: the registry's attestations of that version. */
  readonly bundle?: string | undefined;
  /** What the registry says of that version, with its signatures. */
  readonly npmSignatures?: string | undefined;
  /** Keys of a registry instead of those that ship. */
  readonly npmKeys?: string | undefined;
  readonly policy?: string | undefined;
};

/** A name as registries take them, and a version without build metadata, which they drop (semver.org, item 10). */
const PACKAGE =
  /^((?:@[A-Za-z0-9~-][A-Za-z0-9._~-]*\/)?[A-Za-z0-9~-][A-Za-z0-9._~-]*)@(\d+\.\d+\.\d+(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)$/;

/**
 * What npm's registry says of a package, ready to be judged; nothing without `npm`.
 * @throws CliError USAGE_OPTION, USAGE_VALUE; ReleaseError KEY_REFUSED, TRUSTED_ROOT_MALFORMED, POLICY_MALFORMED
 */
export async function readNpm(options: NpmOptions, files: TrustFiles): Promise<PreparedMethod[]> {
  const { npm, bundle, npmSignatures, npmKeys, policy } = options;
  if (npm === undefined) {
    const stray = npmSignatures === undefined ? npmKeys && '--npm-keys' : '--npm-signatures';
    if (stray !== undefined)
      throw usageError('USAGE_OPTION', `${stray} says nothing alone: give --npm NAME@VERSION too`);
    return [];
  }
  if (bundle === undefined && npmSignatures === undefined) {
    throw usageError(
      'USAGE_OPTION',
      '--npm needs what the registry says: its attestations with --bundle, or --npm-signatures',
    );
  }
  const wanted = parsePackage(npm);
  const registry = await readRegistry(npmKeys, files);
  const { prepareNpmAttestations, prepareRegistrySignature } = await import('../../verify/release/npm/npm-method.ts');
  const methods: PreparedMethod[] = [];
  if (bundle !== undefined) {
    const { sigstoreMaterial } = await import('../../verify/release/sigstore/material.ts');
    const bytes = readMaterial(bundle);
    if (sigstoreMaterial(bytes) !== 'npm-attestations') {
      throw usageError('USAGE_VALUE', "with --npm, --bundle takes the registry's attestations of the version");
    }
    const { root, identity } = await certifiedTrust(options, files);
    const rules = policy === undefined ? {} : { policy: await readPolicyFile(policy) };
    methods.push(prepareNpmAttestations(bytes, wanted, registry, { root, identity, ...rules }));
  }
  if (npmSignatures !== undefined) {
    methods.push(prepareRegistrySignature(readMaterial(npmSignatures), wanted, registry));
  }
  return methods;
}

async function readRegistry(named: string | undefined, files: TrustFiles): Promise<RegistryTrust> {
  const { readRegistryTrust, shippedRegistryKeys } = await import('../../verify/release/npm/registry-trust.ts');
  if (named === undefined) return shippedRegistryKeys();
  const { bytes, source } = await files.read(named, 'npm-keys', '--npm-keys');
  return readRegistryTrust(bytes, source);
}

function parsePackage(text: string): PackageName {
  const [, name, version] = PACKAGE.exec(text) ?? [];
  if (name !== undefined && version !== undefined) return { name, version };
  throw usageError('USAGE_VALUE', `--npm takes NAME@VERSION, such as @org/tool@1.2.3, not "${text}"`);
}
