import { CST, isScalar, Lexer, parseDocument, visit, type YAMLMap } from 'yaml';
import { decodeUtf8 } from '../core/bytes.ts';
import { messageOf } from '../core/errors.ts';
import { escapeForTerminal } from '../core/terminal-text.ts';
import { RuleError } from './errors.ts';
import { MAX_RULE_BYTES, MAX_RULE_DEPTH, MAX_RULE_MEMBERS } from './format.ts';

/**
 * Parses the plain part of YAML 1.2 that rules are written in: one document, the core schema, string keys.
 *
 * Refused: anchors and aliases (a few lines of them expand to gigabytes), tags and directives (they ask the parser to
 * make other things), duplicate keys (which one would the reviewer read?), more documents, and deep nesting.
 * @throws RuleError RULE_TOO_LARGE or RULE_YAML
 */
export function parsePlainYaml(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_RULE_BYTES) throw new RuleError('RULE_TOO_LARGE', `a rule is at most ${MAX_RULE_BYTES} bytes`);
  try {
    const text = decodeUtf8(bytes);
    if (!isVisible(text)) throw malformed('it has characters that can not be seen, or hide or reorder others');
    assertPlain(text);
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
    assertShallow(value, MAX_RULE_DEPTH);
    return value;
  } catch (cause) {
    // The composer recurses: nesting that assertPlain can't see ends in a RangeError, which is as good an answer.
    throw cause instanceof RuleError ? cause : malformed(messageOf(cause), cause);
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
function assertPlain(text: string): void {
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
    if (depth > MAX_RULE_DEPTH) throw malformed(`it is nested deeper than ${MAX_RULE_DEPTH}`);
    if (MEMBER_MARKS.has(type)) members += 1;
    if (members > MAX_RULE_MEMBERS) throw malformed(`it has more than ${MAX_RULE_MEMBERS} keys and items`);
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
function assertShallow(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth === 0) throw malformed(`it is nested deeper than ${MAX_RULE_DEPTH}`);
  for (const member of Object.values(value)) assertShallow(member, depth - 1);
}

function malformed(problem: string, cause?: unknown): RuleError {
  return new RuleError('RULE_YAML', `not the plain YAML of a rule: ${escapeForTerminal(problem)}`, { cause });
}
