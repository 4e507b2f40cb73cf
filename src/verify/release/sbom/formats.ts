import type { JsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { assertDistinct, badSbom, objectsOf, parseSbomJson, type Sbom, type SbomFile, sbomFile } from './document.ts';

const CYCLONEDX_VERSIONS: readonly unknown[] = ['1.4', '1.5', '1.6'];

/**
 * Parses CycloneDX JSON 1.4 to 1.6 (components of type `file`), SPDX JSON 2.3 (`files`) or 3.0 (`software_File`).
 * @throws ReleaseError SBOM_MALFORMED, SBOM_UNSUPPORTED, SBOM_NAME, SBOM_NO_HASHES or MATERIAL_TOO_LARGE
 */
export function parseSbom(bytes: Uint8Array): Sbom {
  const json = parseSbomJson(bytes);
  const sbom = readCycloneDx(json) ?? readSpdx2(json) ?? readSpdx3(json);
  if (sbom === undefined) throw badSbom('it is neither CycloneDX nor SPDX in JSON');
  if (sbom.files.length === 0) throw badSbom('it lists no file');
  assertDistinct(sbom.files);
  return sbom;
}

function readCycloneDx(json: JsonObject): Sbom | undefined {
  if (json['bomFormat'] !== 'CycloneDX') return undefined;
  const version = json['specVersion'];
  if (!CYCLONEDX_VERSIONS.includes(version)) throw unsupported('CycloneDX', version);
  return { format: `CycloneDX ${version}`, files: [...filesIn(json)] };
}

function* filesIn(parent: JsonObject): Generator<SbomFile> {
  for (const component of objectsOf(parent['components'], 'components')) {
    if (component['type'] === 'file') {
      const hashes = objectsOf(component['hashes'], 'hashes').map(({ alg, content }) => [alg, content] as const);
      yield sbomFile(component['name'], hashes);
    }
    yield* filesIn(component);
  }
}

function readSpdx2(json: JsonObject): Sbom | undefined {
  const version = json['spdxVersion'];
  if (version === undefined) return undefined;
  if (version !== 'SPDX-2.3') throw unsupported('SPDX', version);
  const files = objectsOf(json['files'], 'files').map(({ fileName, checksums }) => {
    const hashes = objectsOf(checksums, 'checksums').map((one) => [one['algorithm'], one['checksumValue']] as const);
    return sbomFile(fileName, hashes);
  });
  return { format: 'SPDX 2.3', files };
}

function readSpdx3(json: JsonObject): Sbom | undefined {
  const context = json['@context'];
  if (typeof context !== 'string' || !context.startsWith('https://spdx.org/rdf/3.')) return undefined;
  if (!context.startsWith('https://spdx.org/rdf/3.0.')) throw unsupported('SPDX', context);
  const files = objectsOf(json['@graph'], 'elements')
    .filter(({ type }) => type === 'software_File')
    .map(({ name, verifiedUsing }) => {
      const methods = objectsOf(verifiedUsing, 'integrity methods').filter(({ type }) => type === 'Hash');
      return sbomFile(
        name,
        methods.map(({ algorithm, hashValue }) => [algorithm, hashValue] as const),
      );
    });
  return { format: 'SPDX 3.0', files };
}

function unsupported(format: string, version: unknown): ReleaseError {
  const shown = escapeForTerminal(String(version).slice(0, 80));
  return new ReleaseError(
    'SBOM_UNSUPPORTED',
    `${format} "${shown}" is not supported; CycloneDX 1.4 to 1.6, SPDX 2.3 and 3.0 are, in JSON`,
  );
}
