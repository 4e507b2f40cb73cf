/**
 * The last step of the build: a validator for each schema that the program uses, made now and not at every start.
 *
 * `dist/validators/<name>.cjs` is what ajv writes for a schema, and a module of the same shape takes the place of
 * `dist/src/core/schema-compiler.js`. It finds them by `$id` and loads each when it is first asked for: they are
 * CommonJS because that can be done without waiting, and a command needs few of them.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { _ } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import { EVENT_TYPES, eventDataSchema } from '../src/core/event.ts';
import { createAjv } from '../src/core/schema-compiler.ts';
import { DRAFT_SCHEMA } from '../src/verify/draft-schema.ts';

const DIST = join(import.meta.dirname, '../dist');
const FOLDER = join(DIST, 'validators');
const ENDING = '.schema.json';

/** Of a log line the program checks the data by its type; the frame has a parser. */
const PUBLISHED_ONLY = 'event.schema.json';

const names: Record<string, string> = {};
rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });
for (const file of readdirSync(join(DIST, 'schemas')).sort()) {
  // tsc has put there those that the sources import.
  if (!file.endsWith(ENDING) || file === PUBLISHED_ONLY) continue;
  write(file.slice(0, -ENDING.length), JSON.parse(readFileSync(join(DIST, 'schemas', file), 'utf8')));
}
write('root-draft', DRAFT_SCHEMA);
for (const type of EVENT_TYPES) write(`event-${type}`, eventDataSchema(type));
writeFileSync(join(DIST, 'src/core/schema-compiler.js'), compiler());

function write(name: string, schema: { readonly $id: string }): void {
  writeFileSync(join(FOLDER, `${name}.cjs`), validator(schema));
  names[schema.$id] = name;
}

/** A function of the formats that returns the validator; inside a function, since that is compiled only when called. */
function validator(schema: object): string {
  const ajv = createAjv({ source: true, optimize: true, formats: _`formats` });
  const code = standalone.default(ajv, ajv.compile(schema));
  return `'use strict';\nmodule.exports = (formats) => {\nconst module = { exports: {} };\n${code}\nreturn module.exports;\n};\n`;
}

function compiler(): string {
  return `// Written by scripts/validators.ts.
import { createRequire } from 'node:module';
import { FORMATS } from './schema-formats.js';
const load = createRequire(import.meta.url);
const NAMES = new Map(Object.entries(${JSON.stringify(names, undefined, 2)}));
export function compileSchema({ $id }) {
  const name = NAMES.get($id);
  if (name === undefined) throw new Error(\`no validator was built for the schema \${$id}\`);
  return load(\`../../validators/\${name}.cjs\`)(FORMATS);
}
`;
}
