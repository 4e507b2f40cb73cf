import { existsSync, readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix, relative, sep } from 'node:path';
import { type ImportFact, readSource, type SourceFacts } from './layers-source.ts';

/** Who may import whom, and what the pure folders may touch. */
export type LayerRules = {
  /** Folder of src to the folders it may import; `*` is everything. A folder not listed may not exist. */
  readonly folders: { readonly [folder: string]: readonly string[] };
  /** Further files that a folder may import, for folders that may not import the whole of another. */
  readonly files: { readonly [folder: string]: readonly string[] };
  /** Folders that touch no file, socket, process, clock or randomness, with all they import. */
  readonly pure: readonly string[];
  /** What pure code may take from the runtime. */
  readonly pureBuiltins: { readonly [builtin: string]: readonly string[] };
  /** Packages that pure code may import. */
  readonly purePackages: readonly string[];
  /** Packages that anything may import: the dependencies in package.json. */
  readonly packages: readonly string[];
  /** Folders at the edge, where IO may be in any file; elsewhere only in `*-io.ts`. */
  readonly edges: readonly string[];
};

export type Violation = {
  readonly rule:
    | 'unknown-folder'
    | 'unknown-file'
    | 'forbidden-import'
    | 'cycle'
    | 'impure'
    | 'io-outside-io-file'
    | 'loading-trick'
    | 'unresolved'
    | 'undeclared-package';
  /** Relative to src, with forward slashes. */
  readonly file: string;
  readonly line: number;
  readonly detail: string;
};

/** One import between two files of src. */
type Edge = { readonly from: string; readonly to: string; readonly fact: ImportFact };

/** Builtins that are nothing but IO; `node:path` and the like are not. */
const IO_BUILTINS =
  /^node:(?:fs|net|http2?|https|tls|dgram|dns|child_process|cluster|worker_threads|sqlite|readline|repl|inspector|tty|wasi)(?:\/|$)/;

/** Checks every file under `root/src`. @returns what breaks the rules, in the order of the files */
export function checkLayers(root: string, rules: LayerRules): Violation[] {
  const violations: Violation[] = [];
  const report = (rule: Violation['rule'], file: string, line: number, detail: string): void => {
    violations.push({ rule, file, line, detail });
  };
  const sources = new Map<string, SourceFacts>();
  for (const file of filesIn(join(root, 'src'))) {
    const folder = folderOf(file);
    if (rules.folders[folder] === undefined) report('unknown-folder', file, 1, `src/${folder} is in no table`);
    if (/\.tsx?$/.test(file)) sources.set(file, readSource(join(root, 'src', file)));
    else report('unknown-file', file, 1, 'only .ts and .tsx belong in src');
  }
  const edges: Edge[] = [];
  for (const [file, { imports, tricks }] of sources) {
    for (const { what, line } of tricks) report('loading-trick', file, line, what);
    for (const fact of imports) {
      const { specifier, line } = fact;
      if (isLocal(specifier)) {
        const to = resolveLocal(file, specifier);
        if (isSchemaData(root, to)) continue;
        if (!sources.has(to)) report('unresolved', file, line, `${specifier} is no source file of src`);
        else edges.push({ from: file, to, fact });
      } else if (!isBuiltin(specifier) && !rules.packages.includes(packageOf(specifier))) {
        report('undeclared-package', file, line, `${specifier} is not among the dependencies`);
      } else if (isBuiltin(specifier) && !specifier.startsWith('node:')) {
        report('unresolved', file, line, `write node:${specifier}`);
      }
    }
  }
  for (const edge of edges) {
    if (!mayImport(edge, rules)) report('forbidden-import', edge.from, edge.fact.line, `${edge.from} → ${edge.to}`);
  }
  for (const [file, facts] of sources) checkIoPlace(file, facts, rules, report);
  for (const ring of findCycles([...sources.keys()], edges)) report('cycle', ring[0] ?? '', 1, ring.join(' → '));
  checkPurity(sources, edges, rules, report);
  return violations;
}

type ReportViolation = (rule: Violation['rule'], file: string, line: number, detail: string) => void;

function filesIn(folder: string, prefix = ''): string[] {
  const entries = readdirSync(join(folder, prefix), { withFileTypes: true });
  const files = entries.flatMap((entry) => {
    const path = posix.join(prefix, entry.name);
    return entry.isDirectory() ? filesIn(folder, path) : [path];
  });
  return files.sort();
}

/** The first folder of a path in src; the path itself for a file that lies in none. */
function folderOf(file: string): string {
  return file.split('/')[0] ?? file;
}

function isLocal(specifier: string): boolean {
  return /^(?:\.\.?\/|\/|file:|data:|#)/.test(specifier);
}

function resolveLocal(file: string, specifier: string): string {
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier;
}

/** What lies in schemas/ is data, and everyone's. */
function isSchemaData(root: string, target: string): boolean {
  const path = relative(root, join(root, 'src', target))
    .split(sep)
    .join('/');
  return path.startsWith('schemas/') && path.endsWith('.json') && existsSync(join(root, path));
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function mayImport({ from, to }: Edge, rules: LayerRules): boolean {
  const [folder, target] = [folderOf(from), folderOf(to)];
  const allowed = rules.folders[folder] ?? [];
  if (folder === target || allowed.includes('*') || allowed.includes(target)) return true;
  return rules.files[folder]?.includes(to) ?? false;
}

function checkIoPlace(file: string, { imports }: SourceFacts, rules: LayerRules, report: ReportViolation): void {
  if (rules.edges.includes(folderOf(file)) || file.endsWith('-io.ts')) return;
  for (const { specifier, kind, names, line } of imports) {
    if (kind === 'type' || !IO_BUILTINS.test(specifier)) continue;
    // Numbers with names, such as O_NOFOLLOW.
    if (names.length > 0 && names.every((name) => name === 'constants')) continue;
    report('io-outside-io-file', file, line, `${specifier} in a file whose name does not end in -io.ts`);
  }
}

/** Rings of files by what the compiler leaves or checks; a dynamic import happens later and closes no ring. */
function findCycles(files: readonly string[], edges: readonly Edge[]): string[][] {
  const next = Map.groupBy(
    edges.filter(({ fact }) => fact.kind !== 'dynamic'),
    ({ from }) => from,
  );
  const state = new Map<string, 'open' | 'closed'>();
  const rings: string[][] = [];
  const walk = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'closed') return;
    if (state.get(file) === 'open') {
      rings.push([...path.slice(path.indexOf(file)), file]);
      return;
    }
    state.set(file, 'open');
    for (const { to } of next.get(file) ?? []) walk(to, [...path, file]);
    state.set(file, 'closed');
  };
  for (const file of files) walk(file, []);
  return rings;
}

/** Everything that a pure folder reaches when it runs must be pure, however far away it lies. */
function checkPurity(
  sources: ReadonlyMap<string, SourceFacts>,
  edges: readonly Edge[],
  rules: LayerRules,
  report: ReportViolation,
): void {
  for (const [file, path] of reachable(
    [...sources.keys()].filter((file) => rules.pure.includes(folderOf(file))),
    edges,
  )) {
    const facts = sources.get(file);
    const via = path.length > 1 ? ` (reached by ${path.join(' → ')})` : '';
    for (const { what, line } of facts?.impurities ?? []) report('impure', file, line, what + via);
    for (const { specifier, kind, names, line } of facts?.imports ?? []) {
      if (kind === 'type' || isLocal(specifier)) continue;
      const allowed = isBuiltin(specifier) ? (rules.pureBuiltins[specifier] ?? []) : undefined;
      const refused = allowed === undefined ? [] : names.filter((name) => !allowed.includes(name));
      if (refused.length > 0 || (allowed?.length === 0 && names.length === 0)) {
        report('impure', file, line, `${refused.join(', ')} of ${specifier}${via}`);
      }
      if (allowed === undefined && !rules.purePackages.includes(packageOf(specifier))) {
        report('impure', file, line, `the package ${specifier}${via}`);
      }
    }
  }
}

/** Every file that running `from` loads, and the way there. */
function reachable(from: readonly string[], edges: readonly Edge[]): Map<string, readonly string[]> {
  const next = Map.groupBy(
    edges.filter(({ fact }) => fact.kind !== 'type'),
    (edge) => edge.from,
  );
  const found = new Map<string, readonly string[]>(from.map((file) => [file, [file]]));
  for (const [file, path] of found) {
    for (const { to } of next.get(file) ?? []) if (!found.has(to)) found.set(to, [...path, to]);
  }
  return found;
}
