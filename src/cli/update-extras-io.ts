import { type Attestation, parseAttestation } from '../bundle/attestations.ts';
import type { BuildInput } from '../bundle/build-io.ts';
import type { BundleKind } from '../bundle/format.ts';
import { messageOf } from '../core/errors.ts';
import { parsePlainYaml } from '../core/plain-yaml.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { usageError } from './errors.ts';
import { readInputFile } from './files-io.ts';

const LIMITS = { maxBytes: 1024 * 1024, maxDepth: 8, maxMembers: 50_000 } as const;

type ExtraOptions = {
  readonly attest?: string | undefined;
  readonly sbom: boolean;
  readonly provenance: boolean;
};

/**
 * What only a bundle of kind update carries, as the command line asks for it.
 * @throws CliError USAGE_OPTION for another kind, USAGE_VALUE; as `readInputFile`
 */
export function updateExtras(
  kind: BundleKind,
  { attest, sbom, provenance }: ExtraOptions,
): Pick<BuildInput, 'attestations' | 'documents'> {
  if (attest === undefined && !sbom && !provenance) return {};
  if (kind !== 'update') {
    throw usageError('USAGE_OPTION', '--attest, --sbom and --provenance are for bundles of kind update');
  }
  return {
    ...(attest === undefined ? {} : { attestations: readAttestations(attest) }),
    documents: [...(sbom ? (['sbom'] as const) : []), ...(provenance ? (['provenance'] as const) : [])],
  };
}

/**
 * Reads the file of `--attest`, plain YAML or JSON: install path to the list of signatures over that file. A misspelt
 * field would be a demand that is silently dropped, so unknown ones are refused.
 * @throws CliError USAGE_VALUE; as `readInputFile`
 */
function readAttestations(path: string): ReadonlyMap<string, readonly Attestation[]> {
  const bytes = readInputFile(path, { maxBytes: LIMITS.maxBytes });
  const shown = escapeForTerminal(path);
  try {
    return new Map(
      Object.entries(objectOf(parsePlainYaml(bytes, LIMITS))).map(([file, list]) => [file, listOf(file, list)]),
    );
  } catch (cause) {
    throw usageError('USAGE_VALUE', `${shown} names no attestations: ${messageOf(cause)}`);
  }
}

function objectOf(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0)
    return value;
  throw new Error('it is to have the path of each attested file, and below it a list');
}

function listOf(file: string, list: unknown): readonly Attestation[] {
  const shown = escapeForTerminal(file);
  if (!Array.isArray(list) || list.length === 0) throw new Error(`"${shown}" has no list`);
  try {
    return list.map(parseAttestation);
  } catch (cause) {
    throw new Error(`"${shown}": ${messageOf(cause)}`, { cause });
  }
}
