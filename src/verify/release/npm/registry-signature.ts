import { encodeHex, parseBase64, utf8 } from '../../../core/bytes.ts';
import { type Signer, verdictOf } from '../../../core/checks.ts';
import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, type Json, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { verifyMessage } from '../key-signature.ts';
import type { Artifact, MethodOutcome } from '../method.ts';
import type { ReleaseKey } from '../release-key.ts';
import { runStages } from '../stages.ts';
import { findRegistryKey, type RegistryKey } from './registry-keys.ts';

/** The package that the artifact must be; a signature over another one, or another version, is another's. */
export type PackageName = { readonly name: string; readonly version: string };

type Manifest = {
  readonly integrity: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: Uint8Array }[];
};

/**
 * Verifies a package by the registry's signature (https://docs.npmjs.com/about-registry-signatures): ECDSA P-256 over
 * `name@version:integrity`, from what the registry says of a version (`npm view NAME@VERSION --json`).
 *
 * What a yes says: the registry served these bytes under this name and version. Not who made them.
 */
export function verifyRegistrySignature(
  artifact: Artifact,
  manifest: Uint8Array,
  wanted: PackageName,
  keys: readonly RegistryKey[],
): MethodOutcome {
  let read: Manifest | undefined;
  let signedBy: { key: ReleaseKey; sig: Uint8Array }[] = [];
  const checks = runStages([
    {
      name: 'material',
      run: () => {
        read = readManifest(manifest, wanted);
        return `what the registry says of ${escapeForTerminal(`${wanted.name}@${wanted.version}`)}`;
      },
    },
    {
      name: 'key',
      run: () => {
        signedBy = usableKeys(read?.signatures ?? [], keys);
        return 'signed with a pinned key of the registry';
      },
    },
    {
      name: 'signature',
      run: () => {
        const message = utf8(`${wanted.name}@${wanted.version}:${read?.integrity}`);
        if (signedBy.length > 0 && signedBy.every(({ key, sig }) => verifyMessage(key.handle, message, sig))) {
          return 'the signature is valid';
        }
        throw new ReleaseError(
          'SIGNATURE_REFUSED',
          "the registry's signature is not over this name, version and digest",
        );
      },
    },
    { name: 'artifact', run: () => assertIntegrity(artifact, read?.integrity ?? '') },
  ]);
  const signers =
    verdictOf(checks) === 'trusted' ? signedBy.map(({ key }): Signer => ({ keyid: key.keyid, role: 'registry' })) : [];
  return { checks, signers };
}

/** A key with an end needs a proof of time, which these signatures don't have. @throws ReleaseError KEY_MISSING or KEY_EXPIRED */
function usableKeys(
  signatures: Manifest['signatures'],
  keys: readonly RegistryKey[],
): { key: ReleaseKey; sig: Uint8Array }[] {
  const known = signatures.filter(({ keyid }) => keys.some(({ name }) => name === keyid));
  const [first] = signatures;
  if (known.length === 0 && first !== undefined) findRegistryKey(keys, first.keyid, 'signatures');
  const found = known.map(({ keyid, sig }) => ({ key: findRegistryKey(keys, keyid, 'signatures'), sig }));
  const lasting = found.filter(({ key }) => key.validFor?.end === undefined);
  if (lasting.length > 0) return lasting;
  throw new ReleaseError('KEY_EXPIRED', "the registry's key has an end, and nothing proves that it signed before it");
}

const MAX_SIGNATURES = 16;

function readManifest(bytes: Uint8Array, wanted: PackageName): Manifest {
  try {
    const json = parseStrictJsonObject(bytes, { numbers: 'any' });
    if (json['name'] !== wanted.name || json['version'] !== wanted.version) {
      throw new Error(`it is about another package than ${wanted.name}@${wanted.version}`);
    }
    const dist = isJsonObject(json['dist']) ? json['dist'] : {};
    const { integrity, signatures } = dist;
    if (typeof integrity !== 'string') throw new Error('it has no integrity');
    if (!Array.isArray(signatures) || signatures.length === 0) throw new Error('it is not signed');
    if (signatures.length > MAX_SIGNATURES) throw new Error(`it has over ${MAX_SIGNATURES} signatures`);
    return { integrity, signatures: signatures.map(signatureOf) };
  } catch (cause) {
    throw new ReleaseError('MATERIAL_MALFORMED', `not a signed version of a package: ${messageOf(cause)}`, { cause });
  }
}

function signatureOf(entry: Json): Manifest['signatures'][number] {
  const { keyid, sig } = isJsonObject(entry) ? entry : {};
  if (typeof keyid !== 'string' || typeof sig !== 'string') throw new Error('a signature has no keyid or sig');
  return { keyid, sig: parseBase64(sig) };
}

/** @throws ReleaseError ARTIFACT_UNHASHED, ARTIFACT_MISMATCH or MATERIAL_MALFORMED */
function assertIntegrity({ digests }: Artifact, integrity: string): string {
  const match = /^sha512-([A-Za-z0-9+/]{86}==)$/.exec(integrity)?.[1];
  if (match === undefined) throw new ReleaseError('MATERIAL_MALFORMED', "the package's integrity is not one SHA-512");
  if (digests.sha512 === undefined)
    throw new ReleaseError('ARTIFACT_UNHASHED', 'the SHA-512 of the artifact was not computed');
  if (encodeHex(Buffer.from(match, 'base64')) !== digests.sha512) {
    throw new ReleaseError('ARTIFACT_MISMATCH', 'the signature is valid, but it is over another file');
  }
  return 'the signature is over this artifact (sha512)';
}
