import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/cli.ts';

const FOLDERS = ['schemas', 'schemas/cli'];
const names = FOLDERS.flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`)).filter(
  (name) => name.endsWith('.schema.json'),
);

describe('the published schemas', () => {
  const ajv = new Ajv2020();

  it.each(names)('%s is a schema of 2020-12 with a name of its own', (name) => {
    const schema = JSON.parse(readFileSync(join(ROOT, name), 'utf8')) as { $id: string; $schema: string };
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
  });

  it('have different names', () => {
    const ids = names.map((name) => (JSON.parse(readFileSync(join(ROOT, name), 'utf8')) as { $id: string }).$id);
    expect(new Set(ids).size).toBe(names.length);
  });
});
