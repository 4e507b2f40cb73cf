import { assertInstallPath } from '../../../archive/path-rules.ts';
import { messageOf } from '../../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject, parseStrictJsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import { assertSize, malformedAs } from '../text.ts';

/** The hashes that count; SHA-1 and MD5 in the same list are passed over. */
export type SbomHash = 'sha256' | 'sha384' | 'sha512';

/** A file that a bill of materials lists. */
export type SbomFile = {
  /** Relative, by the rules for paths. */
  readonly path: string;
  /** Lower-case hex; at least one. */
  readonly hashes: { readonly [name in SbomHash]?: string };
};

export type Sbom = {
  /** Such as `CycloneDX 1.6`. */
  readonly format: string;
  readonly files: readonly SbomFile[];
};

export const MAX_SBOM_BYTES = 16 * 1024 * 1024;
const HEX_DIGITS: Readonly<Record<SbomHash, number>> = { sha256: 64, sha384: 96, sha512: 128 };

export const badSbom = malformedAs('SBOM_MALFORMED', 'not a bill of materials');

/** @throws ReleaseError SBOM_MALFORMED, MATERIAL_TOO_LARGE */
export function parseSbomJson(bytes: Uint8Array): JsonObject {
  assertSize(bytes, MAX_SBOM_BYTES, badSbom);
  try {
    return parseStrictJsonObject(bytes, { maxBytes: MAX_SBOM_BYTES });
  } catch (cause) {
    throw badSbom(escapeForTerminal(messageOf(cause)), cause);
  }
}

/**
 * One listed file. @param name as the list has it, perhaps with `./` @param hashes pairs of algorithm and hex
 * @throws ReleaseError SBOM_NAME, SBOM_NO_HASHES or SBOM_MALFORMED
 */
export function sbomFile(
  name: Json | undefined,
  hashes: readonly (readonly [Json | undefined, Json | undefined])[],
): SbomFile {
  if (typeof name !== 'string') throw badSbom('a file in it has no name');
  const path = name.replace(/^(?:\.\/)+/, '');
  try {
    assertInstallPath(path);
  } catch (cause) {
    throw new ReleaseError('SBOM_NAME', `a file listed in it can't be looked up: ${messageOf(cause)}`, { cause });
  }
  const known: { [name in SbomHash]?: string } = {};
  for (const [algorithm, value] of hashes) {
    if (typeof algorithm !== 'string' || typeof value !== 'string')
      throw badSbom(`a hash of ${shown(path)} is no text`);
    const hash = algorithm.toLowerCase().replace(/[-_]/g, '');
    if (!isHash(hash)) continue;
    const hex = value.toLowerCase();
    const isRight = hex.length === HEX_DIGITS[hash] && /^[0-9a-f]+$/.test(hex) && (known[hash] ?? hex) === hex;
    if (!isRight) throw badSbom(`the ${hash} of ${shown(path)} is none, or there are two`);
    known[hash] = hex;
  }
  if (Object.keys(known).length === 0) {
    throw new ReleaseError('SBOM_NO_HASHES', `${shown(path)} is listed without a SHA-256, SHA-384 or SHA-512`);
  }
  return { path, hashes: known };
}

/** @throws ReleaseError SBOM_MALFORMED for a path listed twice: which of the two counts can't be told */
export function assertDistinct(files: readonly SbomFile[]): void {
  const seen = new Set<string>();
  for (const { path } of files) {
    if (seen.has(path)) throw badSbom(`${shown(path)} is listed twice`);
    seen.add(path);
  }
}

/** The objects in an array, or in nothing. @throws ReleaseError SBOM_MALFORMED */
export function objectsOf(value: Json | undefined, what: string): readonly JsonObject[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw badSbom(`its ${what} are no list`);
  return value.map((item: Json) => {
    if (!isJsonObject(item)) throw badSbom(`one of its ${what} is no object`);
    return item;
  });
}

function isHash(name: string): name is SbomHash {
  return Object.hasOwn(HEX_DIGITS, name);
}

function shown(path: string): string {
  return `"${escapeForTerminal(path.slice(0, 200))}"`;
}
