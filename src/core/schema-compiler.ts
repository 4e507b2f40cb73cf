import type { CodeOptions, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { FORMATS } from './schema-formats.ts';

/** A JSON Schema of ours. What the build made of it is found by its `$id`, so each has one. */
export type Schema = { readonly $id: string };

/**
 * Makes a validator of a schema of ours. Only what runs from the sources comes here: the build puts a module of the
 * same shape in the place of this one, with the validators that it made beforehand (scripts/validators.ts). To load ajv
 * and compile would cost a command more than all it checks, and would need code made from strings at run time.
 */
export function compileSchema(schema: Schema): ValidateFunction {
  ajv ??= createAjv({ optimize: false });
  return ajv.compile(schema);
}

let ajv: Ajv2020 | undefined;

/** The one configuration by which validators are made, here and by the build. */
export function createAjv(code: CodeOptions): Ajv2020 {
  // That our schemas are schemas is a test's question (test/core/schema.test.ts): compiling the 2020-12 meta-schema to
  // ask it again would cost more than our own schemas do.
  const ours = { meta: false, validateSchema: false, code } as const;
  const instance = new Ajv2020({ strict: true, allowUnionTypes: true, ownProperties: true, ...ours });
  for (const [name, format] of Object.entries(FORMATS)) instance.addFormat(name, format);
  return instance;
}
