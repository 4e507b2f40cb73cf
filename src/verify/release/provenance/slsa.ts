import { isJsonObject, type Json, type JsonObject } from '../../../core/strict-json.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { ReleaseError } from '../errors.ts';
import type { Statement } from '../sigstore/statement.ts';
import type { PolicyField } from './policy.ts';

/** https://slsa.dev/spec/v1.0/provenance and https://slsa.dev/spec/v0.2/provenance. */
export const SLSA_V1 = 'https://slsa.dev/provenance/v1';
export const SLSA_V02 = 'https://slsa.dev/provenance/v0.2';

/** What a build's provenance says, each as far as it says it, in one spelling. */
export type Provenance = Readonly<Partial<Record<PolicyField, string>>>;

/** @returns undefined if the statement is no provenance @throws ReleaseError PROVENANCE_MALFORMED */
export function provenanceOf({ predicateType, predicate }: Statement): Provenance | undefined {
  if (predicateType === SLSA_V1) return withoutUnsaid(provenanceV1(predicate));
  return predicateType === SLSA_V02 ? withoutUnsaid(provenanceV02(predicate)) : undefined;
}

type Said = Readonly<Record<PolicyField, string | undefined>>;

/** The GitHub build type is known by name; others may say source and ref through `resolvedDependencies` alone. */
function provenanceV1(predicate: JsonObject): Said {
  const definition = object(predicate, 'buildDefinition');
  const builder = text(at(predicate, 'runDetails', 'builder', 'id'));
  if (builder === undefined) throw malformed('it names no builder');
  const workflow = at(definition, 'externalParameters', 'workflow');
  const repository = text(at(workflow, 'repository'));
  const source = repository === undefined ? undefined : sourceOf(repository);
  const materials = list(definition['resolvedDependencies']).map((material) =>
    materialOf(material, 'gitCommit', 'sha1'),
  );
  const own = onlyMaterial(materials, source?.address);
  const ref = agree('ref', text(at(workflow, 'ref')), source?.ref, own?.ref);
  return {
    builder,
    buildType: text(definition['buildType']),
    source: source?.address ?? own?.address,
    ref,
    commit: own?.commit,
    workflow: text(at(workflow, 'path')),
  };
}

function provenanceV02(predicate: JsonObject): Said {
  const builder = text(at(predicate, 'builder', 'id'));
  if (builder === undefined) throw malformed('it names no builder');
  const config = object(predicate, 'invocation')['configSource'];
  const uri = text(at(config, 'uri'));
  const source = uri === undefined ? undefined : sourceOf(uri);
  const materials = list(predicate['materials']).map((material) => materialOf(material, 'sha1', 'gitCommit'));
  const own = onlyMaterial(materials, source?.address);
  return {
    builder,
    buildType: text(predicate['buildType']),
    source: source?.address ?? own?.address,
    ref: agree('ref', source?.ref, own?.ref),
    commit: agree('commit', text(at(config, 'digest', 'sha1')) ?? text(at(config, 'digest', 'gitCommit')), own?.commit),
    workflow: text(at(config, 'entryPoint')),
  };
}

type Source = { readonly address: string; readonly ref?: string };
type Material = Source & { readonly commit?: string };

/** `git+https://host/org/repo.git@refs/tags/v1` in its parts; ways to write one address become one. */
function sourceOf(uri: string): Source {
  const [, address = '', ref] = /^(?:git\+)?([^@]*?)(?:\.git)?\/?(?:@(.+))?$/s.exec(uri) ?? [];
  return { address, ...(ref === undefined ? {} : { ref }) };
}

function materialOf(entry: Json, ...commitNames: readonly string[]): Material | undefined {
  const uri = text(at(entry, 'uri'));
  if (uri === undefined) return undefined;
  const commit = commitNames.map((name) => text(at(entry, 'digest', name))).find((found) => found !== undefined);
  return { ...sourceOf(uri), ...(commit === undefined ? {} : { commit }) };
}

/**
 * The dependency that is the source itself. Without an address to look for, one that stands alone; where two would do,
 * neither: an attacker's order must not choose.
 */
function onlyMaterial(materials: readonly (Material | undefined)[], address: string | undefined): Material | undefined {
  const fitting = materials.filter(
    (material) =>
      material !== undefined && (address === undefined ? materials.length === 1 : material.address === address),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** What several places say, if they say the same. @throws ReleaseError PROVENANCE_MALFORMED */
function agree(what: string, ...said: readonly (string | undefined)[]): string | undefined {
  const values = new Set(said.filter((value) => value !== undefined));
  if (values.size > 1) throw malformed(`it gives two values of ${what}: ${[...values].join(' and ')}`);
  return [...values][0];
}

function withoutUnsaid(said: Said): Provenance {
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function object(parent: JsonObject, name: string): JsonObject {
  const value = parent[name];
  if (!isJsonObject(value)) throw malformed(`it has no ${name}`);
  return value;
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  return path.reduce<Json | undefined>((found, step) => (isJsonObject(found) ? found[step] : undefined), value);
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function malformed(problem: string): ReleaseError {
  return new ReleaseError(
    'PROVENANCE_MALFORMED',
    `the provenance can't be used: ${escapeForTerminal(problem.slice(0, 300))}`,
  );
}
