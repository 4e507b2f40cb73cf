import { readFileSync } from 'node:fs';
// The parser that vitest itself runs on: a real one, so no comment, string or template can hide or fake an import.
import { parseAst } from 'vitest/node';

export type ImportFact = {
  readonly specifier: string;
  /** `type` is erased by the compiler; `dynamic` is `import('…')`. */
  readonly kind: 'value' | 'type' | 'dynamic';
  /** What is taken from it by name; `*` stands for all of it (namespace, default, re-export of everything, dynamic). */
  readonly names: readonly string[];
  readonly line: number;
};

export type Hazard = { readonly what: string; readonly line: number };

/** What the layer rules need to know of one source file. */
export type SourceFacts = {
  readonly imports: readonly ImportFact[];
  /** Ways to reach a module that no list of imports shows. */
  readonly tricks: readonly Hazard[];
  /** Uses of the world: clock, randomness, process, network, timers. */
  readonly impurities: readonly Hazard[];
};

/** A node of the ESTree that the parser returns. */
type Node = { readonly type: string; readonly start: number; readonly [key: string]: unknown };

/**
 * Names of the global scope that reach the world or the state of the process. Banned as identifiers wherever they
 * refer to something, also where a local variable shadows them: a reader should not have to look twice.
 */
const WORLD = new Set(
  [
    'process global globalThis window self console performance navigator',
    'fetch WebSocket EventSource XMLHttpRequest BroadcastChannel MessageChannel Worker SharedArrayBuffer Atomics',
    'setTimeout setInterval setImmediate queueMicrotask requestAnimationFrame',
    'crypto Temporal Intl localStorage sessionStorage __dirname __filename WeakRef FinalizationRegistry',
  ].flatMap((names) => names.split(' ')),
);
/** Names that load or run code that isn't in the file. */
const LOADERS = new Set(['require', 'module', 'exports', 'eval', 'Function', 'createRequire', 'getBuiltinModule']);

export function readSource(path: string): SourceFacts {
  const text = readFileSync(path, 'utf8');
  return sourceFacts(text, path);
}

export function sourceFacts(text: string, name = 'source.ts'): SourceFacts {
  const reader = new SourceReader(text);
  const lang = name.endsWith('x') ? 'tsx' : 'ts';
  reader.visit(parseAst(text, { lang, sourceType: 'module' }, name) as unknown as Node, undefined, '');
  return reader;
}

class SourceReader implements SourceFacts {
  readonly imports: ImportFact[] = [];
  readonly tricks: Hazard[] = [];
  readonly impurities: Hazard[] = [];
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** @param key the property of `parent` that holds `node` */
  visit(node: Node, parent: Node | undefined, key: string): void {
    this.#look(node, parent, key);
    for (const [childKey, value] of Object.entries(node)) {
      for (const child of Array.isArray(value) ? value : [value]) {
        if (isNode(child)) this.visit(child, node, childKey);
      }
    }
  }

  #look(node: Node, parent: Node | undefined, key: string): void {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportNamedDeclaration':
      case 'ExportAllDeclaration':
        if (isNode(node['source'])) this.#declaration(node, node['source']);
        break;
      case 'ImportExpression':
        this.#dynamic(node);
        break;
      case 'TSImportType':
        this.#typeImport(node);
        break;
      case 'TSImportEqualsDeclaration':
        this.tricks.push(this.#hazard('import = require', node));
        break;
      case 'MetaProperty':
        if ((node['meta'] as Node)['name'] === 'import') this.impurities.push(this.#hazard('import.meta', node));
        break;
      case 'MemberExpression':
        this.#member(node);
        break;
      case 'Identifier':
        if (refers(parent, key)) this.#identifier(node, parent, key);
        break;
    }
  }

  #declaration(node: Node, source: Node): void {
    const specifiers = (node['specifiers'] ?? []) as Node[];
    const values = specifiers.filter(({ importKind, exportKind }) => importKind !== 'type' && exportKind !== 'type');
    // `import {} from 'x'` and `import 'x'` run x; `import { type A } from 'x'` does too under verbatimModuleSyntax.
    const isType = node['importKind'] === 'type' || node['exportKind'] === 'type';
    const names = node.type === 'ExportAllDeclaration' ? ['*'] : (isType ? specifiers : values).map(importedName);
    this.#add(String(source['value']), isType ? 'type' : 'value', names, node);
  }

  #dynamic(node: Node): void {
    const source = node['source'] as Node;
    if (source.type !== 'Literal') this.tricks.push(this.#hazard('import() of a computed name', node));
    else this.#add(String(source['value']), 'dynamic', ['*'], node);
  }

  #typeImport(node: Node): void {
    const source = (node['source'] ?? node['argument']) as Node;
    this.#add(String(source['value'] ?? (source['literal'] as Node | undefined)?.['value']), 'type', ['*'], node);
  }

  #member(node: Node): void {
    const property = node['property'] as Node;
    const name = String(property['name'] ?? property['value']);
    if (LOADERS.has(name) && name !== 'exports' && name !== 'module') this.tricks.push(this.#hazard(`.${name}`, node));
    const object = node['object'] as Node;
    if (object['name'] === 'Math' && name === 'random') this.impurities.push(this.#hazard('Math.random', node));
    if (object['name'] === 'Math' && node['computed'] === true) this.impurities.push(this.#hazard('Math[…]', node));
    if (/^toLocale/.test(name) || name === 'localeCompare') this.impurities.push(this.#hazard(`.${name}`, node));
  }

  #identifier(node: Node, parent: Node | undefined, key: string): void {
    const name = String(node['name']);
    if (LOADERS.has(name)) this.tricks.push(this.#hazard(name, node));
    if (WORLD.has(name)) this.impurities.push(this.#hazard(name, node));
    if (name === 'Date' && !isPureDate(parent, key)) this.impurities.push(this.#hazard('Date as a clock', node));
    if (name === 'Math' && !(parent?.type === 'MemberExpression' && key === 'object')) {
      this.impurities.push(this.#hazard('Math as a value', node));
    }
  }

  #add(specifier: string, kind: ImportFact['kind'], names: readonly string[], node: Node): void {
    this.imports.push({ specifier, kind, names, line: this.#hazard('', node).line });
  }

  #hazard(what: string, { start }: Node): Hazard {
    return { what, line: this.#text.slice(0, start).split('\n').length };
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function importedName(specifier: Node): string {
  const named = (specifier.type === 'ExportSpecifier' ? specifier['local'] : specifier['imported']) as Node | undefined;
  return named === undefined ? '*' : String(named['name'] ?? named['value']);
}

/** The only uses of Date that read no clock: a date from arguments, and the two parsers. */
function isPureDate(parent: Node | undefined, key: string): boolean {
  if (parent?.type === 'NewExpression' && key === 'callee') {
    const [first] = parent['arguments'] as Node[];
    return first !== undefined && first.type !== 'SpreadElement';
  }
  if (parent?.type !== 'MemberExpression' || key !== 'object' || parent['computed'] === true) return false;
  return ['parse', 'UTC'].includes(String((parent['property'] as Node)['name']));
}

/** Whether an identifier at this place stands for a variable, and not for a property, a label or a type. */
function refers(parent: Node | undefined, key: string): boolean {
  if (parent === undefined) return false;
  // In `{ process }` the name is visited again, as the value.
  const isPlainKey = (key === 'property' || key === 'key') && parent['computed'] !== true;
  if (isPlainKey || key === 'label' || key === 'imported' || key === 'exported') return false;
  if (parent.type === 'ExportSpecifier' || parent.type === 'MetaProperty') return false;
  return !(parent.type.startsWith('TS') && !VALUE_WRAPPERS.has(parent.type));
}

/** TypeScript's nodes that wrap an expression; every other one is a type. */
const VALUE_WRAPPERS = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
  'TSExportAssignment',
]);
