import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { CoreError } from './errors.ts';
import { escapeForTerminal } from './terminal-text.ts';
import { parseTime } from './time.ts';

/** Compiled when first used: a command pays only for the schemas it meets. */
const compiled = new WeakMap<object, ValidateFunction>();

let ajv: Ajv2020 | undefined;

/**
 * Checks a parsed value against a JSON Schema (2020-12) of ours, as imported from `schemas/`. Unknown fields are
 * refused by the schemas themselves.
 * @returns the same value, typed
 * @throws CoreError SCHEMA_MISMATCH naming the first offending place
 */
export function validateSchema<T>(schema: object, value: unknown): T {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    ajv ??= createAjv();
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  if (validate(value)) return value as T;
  throw new CoreError('SCHEMA_MISMATCH', describe(validate.errors ?? []));
}

function createAjv(): Ajv2020 {
  // That our schemas are schemas is a test's question (test/core/schema.test.ts): compiling the 2020-12 meta-schema to
  // ask it again would cost every command more than its own schemas do, and so would optimising code that runs once.
  const ours = { meta: false, validateSchema: false, code: { optimize: false } } as const;
  const instance = new Ajv2020({ strict: true, allowUnionTypes: true, ownProperties: true, ...ours });
  // RFC 3339, UTC, milliseconds: the one form of time in documents (docs/formats.md, "Ground rules").
  instance.addFormat('daemoneye-time', { type: 'string', validate: isTime });
  return instance;
}

function isTime(text: string): boolean {
  try {
    parseTime(text);
    return true;
  } catch {
    return false;
  }
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
