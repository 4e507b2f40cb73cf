import { CST, isScalar, Lexer, parseDocument, visit, type YAMLMap } from 'yaml';
import { decodeUtf8 } from './bytes.ts';
import { CoreError, messageOf } from './errors.ts';
import { escapeForTerminal } from './terminal-text.ts';

export type PlainYamlLimits = {
  readonly maxBytes: number;
  /** Nested collections. The parser recurses, so flow collections are counted before it starts. */
  readonly maxDepth: number;
  /** Keys and list items: the parser's time grows faster than their number. */
  readonly maxMembers: number;
};

/**
 * Parses the plain part of YAML 1.2 that rules and settings are written in: one document, the core schema, string keys.
 *
 * Refused: anchors and aliases (a few lines of them expand to gigabytes), tags and directives (they ask the parser to
 * make other things), duplicate keys (which one would the reviewer read?), more documents, and deep nesting.
 * @throws CoreError YAML_TOO_LARGE or YAML_MALFORMED
 */
export function parsePlainYaml(bytes: Uint8Array, limits: PlainYamlLimits): unknown {
  const { maxBytes, maxDepth } = limits;
  if (bytes.length > maxBytes) throw new CoreError('YAML_TOO_LARGE', `it has over ${maxBytes} bytes`);
  try {
    const text = decodeUtf8(bytes);
    if (!isVisible(text)) throw malformed('it has characters that can not be seen, or hide or reorder others');
    assertPlain(text, limits);
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      resolveKnownTags: false,
      strict: true,
      // The library compares every pair of keys: a minute for the 30,000 that fit. Ours is below.
      uniqueKeys: false,
      stringKeys: true,
      merge: false,
      logLevel: 'error',
      // Made for every error, each from the whole text: half a minute for a file of commas.
      prettyErrors: false,
    });
    const problem = document.errors[0] ?? document.warnings[0];
    if (problem !== undefined) throw malformed(`${problem.message}, in line ${lineAt(text, problem.pos[0])}`, problem);
    visit(document, { Map: (_, map) => assertUniqueKeys(map, text) });
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    assertShallow(value, maxDepth, maxDepth);
    return value;
  } catch (cause) {
    // The composer recurses: nesting that assertPlain can't see ends in a RangeError, which is as good an answer.
    throw cause instanceof CoreError && cause.code === 'YAML_MALFORMED' ? cause : malformed(messageOf(cause), cause);
  }
}

const REFUSED: ReadonlySet<string | null> = new Set(['anchor', 'alias', 'tag', 'directive-line']);

const MEMBER_MARKS: ReadonlySet<string | null> = new Set([
  'map-value-ind',
  'explicit-key-ind',
  'seq-item-ind',
  'comma',
]);

/** Looks at the tokens only, before anything is built from them. */
function assertPlain(text: string, { maxDepth, maxMembers }: PlainYamlLimits): void {
  let isScalar = false;
  let depth = 0;
  let members = 0;
  for (const token of new Lexer().lex(text)) {
    if (isScalar || token === CST.SCALAR) {
      // What follows this mark is text, whatever it looks like.
      isScalar = token === CST.SCALAR && !isScalar;
      continue;
    }
    const type = CST.tokenType(token);
    if (REFUSED.has(type)) throw malformed(`it has ${type === 'anchor' ? 'an' : 'a'} ${type}`);
    if (type === 'flow-map-start' || type === 'flow-seq-start') depth += 1;
    if (type === 'flow-map-end' || type === 'flow-seq-end') depth -= 1;
    if (depth > maxDepth) throw tooDeep(maxDepth);
    if (MEMBER_MARKS.has(type)) members += 1;
    if (members > maxMembers) throw malformed(`it has more than ${maxMembers} keys and items`);
  }
}

function assertUniqueKeys({ items }: YAMLMap, text: string): void {
  const seen = new Set<string>();
  for (const { key } of items) {
    const name = isScalar(key) ? String(key.value) : undefined;
    if (name === undefined) throw malformed('it has a key that is not text');
    if (seen.has(name)) {
      const line = lineAt(text, isScalar(key) ? (key.range?.[0] ?? 0) : 0);
      throw malformed(`it has the key ${JSON.stringify(name)} twice, again in line ${line}`);
    }
    seen.add(name);
  }
}

function lineAt(text: string, position: number): number {
  return text.slice(0, position).split('\n').length;
}

/** A reviewer must see what the parser reads: no controls, and nothing that reorders text (CVE-2021-42574). */
function isVisible(text: string): boolean {
  const oneLine = text.replace(/[\t\n\r]/g, ' ');
  return escapeForTerminal(oneLine) === oneLine;
}

/** For nesting by indentation, which is no token. */
function assertShallow(value: unknown, depth: number, maxDepth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth === 0) throw tooDeep(maxDepth);
  for (const member of Object.values(value)) assertShallow(member, depth - 1, maxDepth);
}

function tooDeep(maxDepth: number): CoreError {
  return malformed(`it is nested deeper than ${maxDepth}`);
}

function malformed(problem: string, cause?: unknown): CoreError {
  return new CoreError('YAML_MALFORMED', `not plain YAML: ${escapeForTerminal(problem)}`, { cause });
}
