import type { ErrorObject, ValidateFunction } from 'ajv';
import { CoreError } from './errors.ts';
import { compileSchema, type Schema } from './schema-compiler.ts';
import { escapeForTerminal } from './terminal-text.ts';

/** Made when first used: a command pays only for the schemas it meets. */
const compiled = new WeakMap<object, ValidateFunction>();

/**
 * Checks a parsed value against a JSON Schema (2020-12) of ours, as imported from `schemas/`. Unknown fields are
 * refused by the schemas themselves.
 * @returns the same value, typed
 * @throws CoreError SCHEMA_MISMATCH naming the first offending place
 */
export function validateSchema<T>(schema: Schema, value: unknown): T {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = compileSchema(schema);
    compiled.set(schema, validate);
  }
  if (validate(value)) return value as T;
  throw new CoreError('SCHEMA_MISMATCH', describe(validate.errors ?? []));
}

function describe(errors: readonly ErrorObject[]): string {
  const [first] = errors;
  if (first === undefined) return 'the document does not match its schema';
  const where = first.instancePath === '' ? 'the document' : shown(first.instancePath);
  const extra = first.params['additionalProperty'] ?? first.params['unevaluatedProperty'];
  return extra === undefined ? `${where} ${first.message}` : `${where} has an unknown field "${shown(String(extra))}"`;
}

/** Names in a document are an attacker's to choose, and as long as he likes. */
function shown(name: string): string {
  return escapeForTerminal(name.slice(0, 200));
}
