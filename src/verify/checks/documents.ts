import { PROVENANCE_PATH, SBOM_PATH } from '../../bundle/format.ts';
import type { IndexEntry } from '../../bundle/index-lines.ts';
import type { BundleStatement } from '../../bundle/statement.ts';
import { isJsonObject } from '../../core/strict-json.ts';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { ReleaseError } from '../release/errors.ts';
import { SLSA_V1 } from '../release/provenance/slsa.ts';
import { compareSbom, judgeComparison } from '../release/sbom/compare.ts';
import { parseSbom } from '../release/sbom/formats.ts';
import { IN_TOTO_PAYLOAD_TYPE } from '../release/sigstore/format.ts';
import { readStatement } from '../release/sigstore/statement.ts';

/** What the statement says that provenance must say too. */
export type ProvenanceFacts = Pick<BundleStatement, 'kind' | 'channel' | 'seq'>;

/**
 * The bill of materials lists exactly the bundle's other files (the provenance lists it in turn), with their digests.
 * @throws ReleaseError SBOM_… or MATERIAL_TOO_LARGE
 */
export function checkBundleSbom(entries: readonly IndexEntry[], sbom: Uint8Array): string {
  const files = entries.filter(({ path }) => path !== SBOM_PATH && path !== PROVENANCE_PATH);
  const parsed = parseSbom(sbom);
  return judgeComparison(parsed, compareSbom(parsed, new Map(files.map(({ path, sha256 }) => [path, { sha256 }]))));
}

/**
 * The provenance is SLSA v1 of this bundle: its subjects are exactly the other files, and it names the kind, channel and
 * seq of the statement, so that none is carried over from another bundle.
 * @throws ReleaseError STATEMENT_MALFORMED, PREDICATE_TYPE, SUBJECT_MISMATCH or PROVENANCE_MALFORMED
 */
export function checkBundleProvenance(
  facts: ProvenanceFacts,
  entries: readonly IndexEntry[],
  provenance: Uint8Array,
): string {
  const { predicateType, predicate, subjects } = readStatement(IN_TOTO_PAYLOAD_TYPE, provenance);
  if (predicateType !== SLSA_V1)
    throw new ReleaseError('PREDICATE_TYPE', `${PROVENANCE_PATH} is no SLSA v1 provenance`);
  const left = new Map(subjects.map(({ name, digests }) => [name, digests['sha256']]));
  const files = entries.filter(({ path }) => path !== PROVENANCE_PATH);
  const other = files.find(({ path, sha256 }) => left.get(path) !== sha256);
  if (other !== undefined || subjects.length !== files.length) {
    const which =
      other === undefined ? 'more files than there are' : `another ${escapeForTerminal(other.path)}, or none`;
    throw new ReleaseError('SUBJECT_MISMATCH', `${PROVENANCE_PATH} is about ${which}`);
  }
  const definition = predicate['buildDefinition'];
  const said = isJsonObject(definition) ? definition['externalParameters'] : undefined;
  const field = (['kind', 'channel', 'seq'] as const).find((name) => !isJsonObject(said) || said[name] !== facts[name]);
  if (field !== undefined) {
    throw new ReleaseError('PROVENANCE_MALFORMED', `${PROVENANCE_PATH} names another ${field} than the statement`);
  }
  return `the provenance is of these ${files.length} files`;
}
