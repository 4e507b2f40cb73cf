import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ValidateFunction } from 'ajv';
import { beforeAll, describe, expect, it } from 'vitest';
import { EVENT_TYPES, eventDataSchema } from '../../src/core/event.ts';
import { compileSchema } from '../../src/core/schema-compiler.ts';
import { DRAFT_SCHEMA } from '../../src/verify/draft-schema.ts';
import { ensureBuilt, ROOT } from '../support/cli.ts';
import { exampleOf } from './schema-example.ts';

const SOURCES = join(ROOT, 'src');
const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') || path.endsWith('.tsx'))
  .map((path) => ({ path, text: readFileSync(join(SOURCES, path), 'utf8') }));

/** Every schema that a source imports; of the event schema the program uses the parts by type. */
const imported = [
  ...new Set(
    sources.flatMap(({ text }) => [...text.matchAll(/^import .*\/schemas\/(.*\.schema\.json)'/gm)].map((m) => m[1])),
  ),
].filter((name) => name !== undefined && name !== 'event.schema.json');

const schemas: readonly (readonly [string, { readonly $id: string }])[] = [
  ...imported.map(
    (name) => [String(name), JSON.parse(readFileSync(join(ROOT, 'schemas', String(name)), 'utf8'))] as const,
  ),
  ['a draft of a trust root', DRAFT_SCHEMA],
  ...EVENT_TYPES.map((type) => [type, eventDataSchema(type)] as const),
];

/** Also what no JSON.parse gives: validators see parsed YAML and protobuf too. */
const ODD: readonly unknown[] = [null, '', '\u{1f600}'.repeat(70), -1, 1.5, [], [1, 1], {}, undefined];

/** The document, and it with each of its values replaced, taken away, or given a stranger. */
function* changed(value: unknown): Generator<unknown> {
  yield value;
  yield* ODD;
  if (typeof value !== 'object' || value === null) return;
  const copy = (change: (copied: Record<string, unknown>) => void) => {
    const copied = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
    change(copied);
    return copied;
  };
  for (const [key, member] of Object.entries(value)) {
    yield copy((copied) => delete copied[key]);
    for (const other of changed(member)) yield copy((copied) => Object.assign(copied, { [key]: other }));
  }
  yield copy((copied) => Object.assign(copied, { unknown: 1 }));
  yield copy((copied) => Object.defineProperty(copied, '__proto__', { value: {}, enumerable: true }));
  yield Object.create(value);
}

const answer = (validate: ValidateFunction, value: unknown) => JSON.stringify([validate(value), validate.errors]);

describe('the validators that the build makes', () => {
  let built: typeof compileSchema;

  beforeAll(async () => {
    await ensureBuilt();
    const module = await import(pathToFileURL(join(ROOT, 'dist/src/core/schema-compiler.js')).href);
    built = (module as { compileSchema: typeof compileSchema }).compileSchema;
  });

  it.each(schemas)('say of everything what those made at run time say: %s', (_, schema) => {
    const [ours, theirs] = [built(schema), compileSchema(schema)];
    const example = exampleOf(schema);
    expect([theirs(example), theirs.errors], JSON.stringify(example)).toEqual([true, null]);
    let refused = 0;
    for (const value of changed(example)) {
      const told = answer(theirs, value);
      if (told.startsWith('[false')) refused += 1;
      if (answer(ours, value) !== told) expect(answer(ours, value), JSON.stringify(value)).toBe(told);
    }
    expect(refused).toBeGreaterThan(10);
  });

  it('make no code from strings', () => {
    for (const file of readdirSync(join(ROOT, 'dist/validators'))) {
      expect(readFileSync(join(ROOT, 'dist/validators', file), 'utf8'), file).not.toMatch(/\beval\b|new Function/);
    }
  });

  it('are there for every schema that is imported, and for those put together at run time', () => {
    for (const [name, schema] of schemas) {
      const validate = built(schema);
      expect([validate(exampleOf(schema)), validate(null)], name).toEqual([true, false]);
    }
    // By its type every schema has an id: one that no file of schemas/ has is made where an id is written.
    const making = sources.filter(({ text }) => /\$id\b.*:/.test(text.replaceAll('$id: string', '')));
    expect(making.map(({ path }) => path).sort()).toEqual(['core/event.ts', 'verify/draft-schema.ts']);
  });

  it('are missed aloud', () => {
    expect(() => built({ $id: 'urn:daemoneye:schema:nobody:v1' })).toThrow('no validator was built');
  });
});
