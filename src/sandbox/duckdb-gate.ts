import { escapeForTerminal } from '../core/terminal-text.ts';
import {
  AGGREGATE_FUNCTIONS,
  CAST_TYPES,
  COLUMN_LIKE_FUNCTIONS,
  SCALAR_FUNCTIONS,
  TABLE_FUNCTIONS,
  WINDOW_FUNCTIONS,
} from './duckdb-functions.ts';
import {
  CASE_CHECK,
  COMMON,
  CTE,
  EXPRESSIONS,
  MODIFIERS,
  ORDER,
  type Part,
  QUERIES,
  RELATIONS,
  REPLACEMENT,
  type Shape,
} from './duckdb-tree.ts';
import { SandboxError } from './errors.ts';

/**
 * The gate before DuckDB: looks at the whole syntax tree of a statement before anything is prepared, since binding
 * alone already opens files, loads extensions and runs table functions. Everything that is not listed is refused.
 * Pure, and the one fence that is always there.
 */

/** Names of common table expressions that can be seen from a place in the tree. */
type Scope = ReadonlySet<string>;
type Tree = { readonly [key: string]: unknown };

/** Deeper than any question a person writes; a chain of UNIONs goes a level deeper with each. */
const MAX_DEPTH = 400;
const MAX_NODES = 50_000;

/** A name that is no path, no catalogue and nothing DuckDB has tables for itself. */
const PLAIN_NAME = /^(?!duckdb_|pg_|sqlite_|information_schema|pragma_)[a-z_][a-z0-9_]{0,62}$/;

/**
 * Judges a tree as json_serialize_sql gives it, with `skip_null` and `skip_empty`.
 * @param json its text
 * @param relations tables and views that may stand after FROM, in lower case
 * @returns which of them the statement names
 * @throws SandboxError SQL_ERROR when the statement doesn't parse; SQL_REFUSED for everything that may not be
 */
export function judgeTree(json: string, relations: ReadonlySet<string>): ReadonlySet<string> {
  const tree = JSON.parse(json) as Tree;
  if (tree['error'] === true) throw parseFailure(tree);
  const statements = tree['statements'];
  if (!Array.isArray(statements) || statements.length !== 1) throw refused('a question is one SELECT, not several');
  const gate = new Gate(relations);
  gate.statement(statements[0], new Set(), 0);
  return gate.seen;
}

function parseFailure(tree: Tree): SandboxError {
  const message = escapeForTerminal(String(tree['error_message']));
  // What is no SELECT parses well and can't be serialised: ATTACH, COPY, SET, PRAGMA, CALL, LOAD, EXPLAIN, …
  if (tree['error_type'] === 'not implemented') return refused(`only a SELECT is possible (${message})`);
  return new SandboxError('SQL_ERROR', message);
}

class Gate {
  readonly seen = new Set<string>();
  readonly #relations: ReadonlySet<string>;
  #nodes = 0;

  constructor(relations: ReadonlySet<string>) {
    this.#relations = relations;
  }

  statement(value: unknown, scope: Scope, depth: number): void {
    this.#object(value, { node: 'query' }, scope, depth);
  }

  /** Every key of it must be in `shape`; what lies under each is judged as the shape says. */
  #object(value: unknown, shape: Shape, scope: Scope, depth: number): void {
    const tree = this.#enter(value, depth);
    for (const [key, part] of Object.entries(tree)) {
      const known = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (known === undefined) throw refused(`"${escapeForTerminal(key)}" is not possible in a question`);
      this.#part(known, part, scope, depth + 1);
    }
  }

  #enter(value: unknown, depth: number): Tree {
    this.#nodes += 1;
    if (depth > MAX_DEPTH || this.#nodes > MAX_NODES) throw refused('the statement is too large or nested too deeply');
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw refused('its tree is not understood');
    return value as Tree;
  }

  #part(part: Part, value: unknown, scope: Scope, depth: number): void {
    const judgeOne = this.#judgeOf(part, scope, depth);
    if (judgeOne === undefined) return;
    const [judge, levels] = judgeOne;
    eachAt(levels, value, judge);
  }

  /** How to judge what lies under a key, and how many lists deep it lies; nothing for what needs no judging here. */
  #judgeOf(part: Part, scope: Scope, depth: number): readonly [(value: unknown) => void, 0 | 1 | 2] | undefined {
    const like = (shape: Shape) => (value: unknown) => this.#object(value, shape, scope, depth);
    switch (part) {
      case 'plain':
      case 'named':
      // Names of common table expressions are for the rest of the query too: `#query` does them first.
      case 'ctes':
        return undefined;
      case 'query':
        return [(value) => this.#query(value, scope, depth), 0];
      case 'relation':
        return [(value) => this.#relation(value, scope, depth), 0];
      case 'statement':
        return [(value) => this.statement(value, scope, depth), 0];
      case 'castType':
        return [(value) => this.#castType(value, depth), 0];
      case 'expression':
      case 'expressions':
      case 'rows':
        return [(value) => this.#expression(value, scope, depth), LIST_LEVELS[part]];
      case 'modifier':
      case 'modifiers':
        return [(value) => this.#modifier(value, scope, depth), LIST_LEVELS[part]];
      case 'orders':
        return [like(ORDER), 1];
      case 'cases':
        return [like(CASE_CHECK), 1];
      case 'replacements':
        return [like(REPLACEMENT), 1];
    }
  }

  #query(value: unknown, outer: Scope, depth: number): void {
    const tree = this.#enter(value, depth);
    const shape = shapeOf(QUERIES, tree['type'], 'query');
    const scope = this.#commonTables(tree['cte_map'], outer, depth + 1);
    if (tree['type'] === 'RECURSIVE_CTE_NODE') {
      const name = commonName(tree['cte_name']);
      // Its name stands for its rows so far in the second half only.
      this.#query(tree['left'], scope, depth + 1);
      this.#query(tree['right'], new Set([...scope, name]), depth + 1);
    }
    const { left: _, right: __, ...rest } = tree;
    this.#object(tree['type'] === 'RECURSIVE_CTE_NODE' ? rest : tree, { ...shape, type: 'plain' }, scope, depth);
  }

  /** WITH: each name can be seen by those after it and by the query. @returns the scope with all of them */
  #commonTables(value: unknown, outer: Scope, depth: number): Scope {
    if (value === undefined) return outer;
    const scope = new Set(outer);
    const { map, ...rest } = this.#enter(value, depth);
    if (Object.keys(rest).length > 0) throw refused('its tree is not understood');
    each(map ?? [], (entry) => {
      const { key, value: cte, ...more } = this.#enter(entry, depth);
      if (Object.keys(more).length > 0) throw refused('its tree is not understood');
      const name = commonName(key);
      this.#object(cte, CTE, new Set(scope), depth + 1);
      scope.add(name);
    });
    return scope;
  }

  #relation(value: unknown, scope: Scope, depth: number): void {
    const tree = this.#enter(value, depth);
    const shape = shapeOf(RELATIONS, tree['type'], 'source of rows');
    if (tree['type'] === 'BASE_TABLE') this.#table(tree, scope);
    if (tree['type'] === 'TABLE_FUNCTION') this.#tableFunction(tree['function'], scope, depth + 1);
    this.#object(tree, { ...COMMON, ...shape }, scope, depth);
  }

  #table(tree: Tree, scope: Scope): void {
    const name = lowered(tree['table_name']);
    const schema = tree['schema_name'] ?? '';
    if (tree['catalog_name'] !== undefined || (schema !== '' && schema !== 'main')) {
      throw refused(`a table is named without catalogue and schema: ${shown(name)}`);
    }
    // A name that is no table of the case could be a file, a system view or somebody's variable.
    if (schema === '' && scope.has(name)) return;
    if (!this.#relations.has(name)) throw refused(`there is no table ${shown(name)} for it`);
    this.seen.add(name);
  }

  #tableFunction(value: unknown, scope: Scope, depth: number): void {
    const tree = this.#enter(value, depth);
    if (tree['class'] !== 'FUNCTION') throw refused('its tree is not understood');
    this.#function(tree, TABLE_FUNCTIONS);
    this.#object(tree, { ...COMMON, ...EXPRESSIONS['FUNCTION'] }, scope, depth);
  }

  #expression(value: unknown, scope: Scope, depth: number): void {
    const tree = this.#enter(value, depth);
    const shape = shapeOf(EXPRESSIONS, tree['class'], 'expression');
    if (tree['class'] === 'FUNCTION') this.#function(tree, SCALAR_FUNCTIONS, AGGREGATE_FUNCTIONS);
    if (tree['class'] === 'WINDOW') this.#function(tree, WINDOW_FUNCTIONS, AGGREGATE_FUNCTIONS);
    if (tree['class'] === 'COLUMN_REF') refuseColumnLike(tree['column_names']);
    this.#object(tree, { ...COMMON, ...shape }, scope, depth);
  }

  #function(tree: Tree, ...lists: readonly ReadonlySet<string>[]): void {
    const name = lowered(tree['function_name']);
    const schema = tree['schema'] ?? 'main';
    const known = schema === 'main' && tree['catalog'] === undefined && lists.some((list) => list.has(name));
    if (!known) throw refused(`the function ${shown(name)} is not available`);
  }

  #modifier(value: unknown, scope: Scope, depth: number): void {
    const tree = this.#enter(value, depth);
    const shape = shapeOf(MODIFIERS, tree['type'], 'clause');
    this.#object(tree, { ...shape, type: 'plain' }, scope, depth);
  }

  /** A type with types inside it (LIST, STRUCT) is judged with all of them. */
  #castType(value: unknown, depth: number): void {
    const tree = this.#enter(value, depth);
    const info = tree['type_info'];
    const named = isTree(info) && tree['id'] === 'UNBOUND' ? info['name'] : tree['id'];
    const name = String(named ?? '').toUpperCase();
    if (!CAST_TYPES.has(name)) throw refused(`the type ${shown(name)} is not available`);
    if (!isTree(info)) return;
    if (info['schema'] !== undefined || info['catalog'] !== undefined || info['user_type_modifiers'] !== undefined) {
      throw refused(`the type ${shown(name)} is not available`);
    }
    if (info['child_type'] !== undefined) this.#castType(info['child_type'], depth + 1);
    each(info['child_types'] ?? [], (child) => {
      this.#castType(this.#enter(child, depth)['second'], depth + 1);
    });
  }
}

/** The shape of this kind of node. */
function shapeOf(shapes: { readonly [kind: string]: Shape }, kind: unknown, noun: string): Shape {
  const shape = typeof kind === 'string' && Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (shape === undefined) throw refused(`no ${noun} of the kind ${shown(String(kind))} is possible in a question`);
  return shape;
}

/** A column that isn't there can turn into a call: `SELECT current_timestamp`, `SELECT user`. */
function refuseColumnLike(names: unknown): void {
  const [only, ...rest] = Array.isArray(names) ? names : [];
  const name = lowered(only);
  if (rest.length === 0 && COLUMN_LIKE_FUNCTIONS.has(name))
    throw refused(`the function ${shown(name)} is not available`);
}

function commonName(value: unknown): string {
  const name = lowered(value);
  if (!PLAIN_NAME.test(name)) throw refused(`${shown(name)} is not a name for a common table expression`);
  return name;
}

/** Lists that are kept in each part that comes alone, in a list, or in a list of lists. */
const LIST_LEVELS = { expression: 0, expressions: 1, rows: 2, modifier: 0, modifiers: 1 } as const;

function eachAt(levels: 0 | 1 | 2, value: unknown, judge: (one: unknown) => void): void {
  if (levels === 0) judge(value);
  else each(value, (one) => eachAt(levels === 2 ? 1 : 0, one, judge));
}

function each(value: unknown, judge: (one: unknown) => void): void {
  if (!Array.isArray(value)) throw refused('its tree is not understood');
  for (const one of value) judge(one);
}

/** As DuckDB folds names: ASCII only. Unicode has other letters that lower-case to ASCII ones (the Kelvin sign to k). */
function lowered(value: unknown): string {
  return String(value ?? '').replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(name: string): string {
  return `"${escapeForTerminal(name.slice(0, 80))}"`;
}

function refused(reason: string): SandboxError {
  return new SandboxError('SQL_REFUSED', reason);
}
