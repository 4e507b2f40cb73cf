import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkLayers, type LayerRules } from './support/layers.ts';
import { tempDirectory } from './support/temp.ts';

const ROOT = join(import.meta.dirname, '..');
const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
};

/** docs/architecture.md, "Who may import whom". */
const RULES: LayerRules = {
  folders: {
    core: [],
    archive: ['core', 'durable'],
    ipc: ['core'],
    sandbox: ['core'],
    config: ['core', 'durable'],
    durable: ['core'],
    threads: ['core'],
    rules: ['core', 'sandbox'],
    bundle: ['core', 'archive', 'durable', 'threads'],
    ledger: ['core', 'durable', 'threads'],
    seal: ['core', 'durable'],
    verify: ['core'],
    install: ['core', 'archive', 'bundle', 'verify', 'ledger', 'durable'],
    collector: ['core', 'ledger', 'seal', 'ipc', 'durable'],
    import: ['core'],
    agent: ['core', 'ledger', 'seal', 'ipc', 'sandbox', 'rules', 'install', 'verify', 'config', 'durable'],
    forensics: ['core', 'archive', 'ledger', 'seal', 'sandbox', 'rules', 'verify', 'import', 'durable'],
    tui: ['core', 'ipc', 'rules', 'forensics'],
    cli: ['*'],
  },
  files: {
    // What a bundle and a log are, without the reading and writing of them.
    verify: [
      'bundle/attestations.ts',
      'bundle/errors.ts',
      'bundle/format.ts',
      'bundle/index-lines.ts',
      'bundle/statement.ts',
      'archive/errors.ts',
      'archive/path-rules.ts',
    ],
  },
  pure: ['core', 'verify'],
  pureBuiltins: {
    'node:crypto': [
      'constants',
      'createHash',
      'createPrivateKey',
      'createPublicKey',
      'hash',
      'KeyObject',
      'publicDecrypt',
      'sign',
      'verify',
    ],
  },
  // yaml asks the process only to print its warnings, which core tells it not to.
  purePackages: [
    '@noble/curves',
    '@noble/ed25519',
    '@noble/hashes',
    '@sigstore/bundle',
    '@sigstore/core',
    '@sigstore/protobuf-specs',
    '@sigstore/verify',
    'ajv',
    'ajv-formats',
    // Its clock is the moment it is given; what else it may do there, test/verify/release/openpgp/library.test.ts tells.
    'openpgp',
    'yaml',
  ],
  // In the lockfile by age-encryption already, until it is declared.
  packages: Object.keys(dependencies),
  edges: ['cli', 'tui'],
};

describe('the layers of src', () => {
  it('keep the rules', () => {
    expect(checkLayers(ROOT, RULES)).toEqual([]);
  });
});

/** Checks a small tree of its own, given without `src/`. @returns each violation as `rule file` */
function told(files: Record<string, string>): string[] {
  const root = tempDirectory();
  for (const [path, text] of Object.entries(files)) {
    const file = join(root, path.startsWith('schemas/') ? '.' : 'src', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return checkLayers(root, RULES).map(({ rule, file }) => `${rule} ${file}`);
}

describe('the layer checker', () => {
  it('accepts what the table allows', () => {
    const files = {
      'schemas/a.schema.json': '{}',
      'core/a.ts': "import s from '../../schemas/a.schema.json' with { type: 'json' };\nexport const a = s;",
      'core/b.ts': "import { createHash } from 'node:crypto';\nimport { a } from './a.ts';\nexport { a, createHash };",
      'core/c.ts': "import type { Stats } from 'node:fs';\nexport type S = { stats: Stats; process: string };",
      'bundle/format.ts': "export { a } from '../core/a.ts';",
      'verify/v.ts': "import { a } from '../bundle/format.ts';\nexport const v = a;",
      'sandbox/policy.ts': "import { constants } from 'node:sqlite';\nexport const deny = constants.SQLITE_DENY;",
      'durable/d-io.ts': "import { readFileSync } from 'node:fs';\nexport const d = readFileSync;",
      'cli/main.ts': "import { writeSync } from 'node:fs';\nexport const w = [writeSync, Date.now()];",
      'cli/lazy.ts': "export const load = () => import('./late.ts');",
      'cli/late.ts': "export { load } from './lazy.ts';",
    };
    expect(told(files)).toEqual([]);
  });

  it.each([
    ['an import upwards', 'core/a.ts', "import '../ledger/b.ts';"],
    ['a type import upwards', 'core/a.ts', "import type { B } from '../ledger/b.ts';"],
    ['a re-export upwards', 'core/a.ts', "export * from '../ledger/b.ts';"],
    ['an inline type import', 'core/a.ts', "export type B = import('../ledger/b.ts').B;"],
    ['a dynamic import upwards', 'core/a.ts', "await import('../ledger/b.ts');"],
    ['an import with odd spacing', 'core/a.ts', "import/* */{\n  type B\n}\n/* from */from\n'../ledger/b.ts'"],
    ['an import sideways', 'archive/a.ts', "import '../ledger/b.ts';"],
    ['a file that verify may not see', 'verify/a.ts', "import '../ledger/b.ts';"],
    ['the terminal UI reaching past its layer', 'tui/a.tsx', "import '../ledger/b.ts';\nexport const a = <b />;"],
  ])('refuses %s', (_, file, text) => {
    expect(told({ [file]: text, 'ledger/b.ts': 'export type B = 1;' })).toEqual([`forbidden-import ${file}`]);
  });

  it('reads imports, not text that looks like one', () => {
    const fake = [
      "// import '../ledger/b.ts';",
      "/* import '../ledger/b.ts'; */",
      'const text = "import \'../ledger/b.ts\'"; const pattern = /import "fs"/;',
      ['const template = `import "../ledger/b.ts" $', '{text}`;'].join(''),
      'export { pattern, template };',
    ].join('\n');
    expect(told({ 'core/a.ts': fake, 'ledger/b.ts': '' })).toEqual([]);
  });

  it.each([
    ['of two files', { 'core/a.ts': "import './b.ts';", 'core/b.ts': "import './a.ts';" }],
    ['of types only', { 'core/a.ts': "import type {} from './b.ts';", 'core/b.ts': "import type {} from './a.ts';" }],
    ['through a re-export', { 'core/a.ts': "export * from './b.ts';", 'core/b.ts': "import './a.ts';" }],
    ['with itself', { 'core/a.ts': "import './a.ts';" }],
    [
      'across folders',
      { 'cli/a.ts': "import '../tui/b.ts';", 'tui/b.ts': "import '../cli/a.ts';" },
      ['forbidden-import tui/b.ts', 'cycle cli/a.ts'],
    ],
  ])('refuses a cycle %s', (_, files, expected = ['cycle core/a.ts']) => {
    expect(told(files)).toEqual(expected);
  });

  it.each([
    ['a file', "import { readFileSync } from 'node:fs'; readFileSync('x');", ['io-outside-io-file core/a.ts']],
    ['randomness', "import { randomBytes } from 'node:crypto'; randomBytes(1);"],
    ['randomness under another name', "import { randomBytes as createHash } from 'node:crypto'; createHash(1);"],
    ['all of node:crypto', "import * as c from 'node:crypto'; c.randomBytes(1);"],
    ['node:crypto by default import', "import c from 'node:crypto'; c.randomBytes(1);"],
    ['node:crypto passed on', "export * from 'node:crypto';"],
    ['node:crypto later', "await import('node:crypto');"],
    ['a builtin for its effects', "import 'node:process';"],
    ['the host name', "import { hostname } from 'node:os'; hostname();"],
    ['an environment variable', "process.env['X'];"],
    ['a clock', 'Date.now();'],
    ['a clock by new', 'new Date();'],
    ['a clock by new, without brackets', 'new Date;'],
    ['a clock by call', 'Date();'],
    ['a clock by spread', 'new Date(...[]);'],
    ['a clock under another name', 'const D = Date; D.now();'],
    ['a clock by a computed name', "Date['now']();"],
    ['a clock by inheritance', 'class D extends Date {} new D();'],
    ['a clock by Temporal', 'Temporal.Now.instant();'],
    ['a stopwatch', 'performance.now();'],
    ['Math.random', 'Math.random();'],
    ['Math.random by a computed name', "const r = 'random'; Math[r]();"],
    ['Math.random taken apart', 'const { random } = Math; random();'],
    ['web crypto', 'crypto.getRandomValues(new Uint8Array(1));'],
    ['the network', "fetch('https://example.com');"],
    ['a timer', 'setTimeout(() => {}, 1);'],
    ['the global object', "globalThis['fetch']('x');"],
    ['the console', "console.log('x');"],
    ['a locale', "'a'.localeCompare('b');"],
    ['its own place', 'import.meta.dirname;'],
    ['a package that does IO', "import 'tar';"],
    ['an identifier in shorthand', 'export const world = { process };'],
  ])('refuses %s in core', (_, text, more: string[] = []) => {
    expect(told({ 'core/a.ts': text })).toEqual([...more, 'impure core/a.ts']);
  });

  it('takes names for what they are: keys, types and labels are no use of the world', () => {
    const text = [
      'export type process = { fetch: Date; performance(): void };',
      'export const record = { process: 1, crypto: 2, fetch() { return this.process; } };',
      "export const at = (ms: number, d: Date): Date[] => [new Date(ms), d, new Date(Date.parse('x'))];",
      'console: for (;;) break console;',
      'export class Console { performance = 1; static crypto = Math.max(1, 2); }',
    ].join('\n');
    expect(told({ 'core/a.ts': text })).toEqual([]);
  });

  it('follows verify through everything it loads', () => {
    const files = {
      'verify/v.ts': "import '../core/a.ts';",
      'core/a.ts': "import type {} from './t.ts';\nimport './b.ts';",
      'core/b.ts': "export const f = () => import('./c.ts');",
      'core/c.ts': 'Date.now();',
      'core/t.ts': '',
      'bundle/format.ts': "import { randomUUID } from 'node:crypto';\nrandomUUID();",
      'verify/w.ts': "import '../bundle/format.ts';",
      'bundle/other.ts': 'Math.random();',
    };
    expect(told(files)).toEqual(['impure core/c.ts', 'impure bundle/format.ts']);
  });

  it.each([
    ['require', "require('node:fs');"],
    ['require under a type', "import fs = require('node:fs');"],
    ['createRequire', "import { createRequire } from 'node:module'; createRequire('x');"],
    ['getBuiltinModule', "import p from 'node:process'; p.getBuiltinModule('fs');"],
    ['an import of a computed name', "await import('node:' + 'fs');"],
    ['an import of a template', 'await import(`node:fs`);'],
    ['eval', "eval('1');"],
    ['Function', "new Function('return 1');"],
  ])('refuses to load by %s', (_, text) => {
    expect(new Set(told({ 'archive/a-io.ts': text }))).toEqual(new Set(['loading-trick archive/a-io.ts']));
  });

  it.each([
    ['a folder that no table knows', { 'helpers/a.ts': '' }, 'unknown-folder helpers/a.ts'],
    ['a file in no folder', { 'a.ts': '' }, 'unknown-folder a.ts'],
    ['a file that is not TypeScript', { 'core/a.js': '' }, 'unknown-file core/a.js'],
    ['a missing file', { 'core/a.ts': "import './b.ts';" }, 'unresolved core/a.ts'],
    ['a way out of src', { 'cli/a.ts': "import '../../test/support/temp.ts';" }, 'unresolved cli/a.ts'],
    [
      'JSON that is no schema',
      { 'cli/a.ts': "import p from '../../package.json' with { type: 'json' };" },
      'unresolved cli/a.ts',
    ],
    ['an absolute path', { 'cli/a.ts': "import '/etc/x.ts';" }, 'unresolved cli/a.ts'],
    ['a data URL', { 'cli/a.ts': "import 'data:text/javascript,1';" }, 'unresolved cli/a.ts'],
    ['a builtin without node:', { 'archive/a-io.ts': "import 'fs';" }, 'unresolved archive/a-io.ts'],
    ['a package for development only', { 'cli/a.ts': "import 'vitest';" }, 'undeclared-package cli/a.ts'],
    ['IO in a file not named so', { 'archive/a.ts': "import 'node:fs/promises';" }, 'io-outside-io-file archive/a.ts'],
  ])('refuses %s', (_, files, expected) => {
    expect(told(files)).toEqual([expected]);
  });
});
