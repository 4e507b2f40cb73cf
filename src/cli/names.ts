import rootSchema from '../../schemas/root.schema.json' with { type: 'json' };
import { usageError } from './errors.ts';

const NAME = new RegExp(rootSchema.$defs.name.pattern);

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** A name as trust roots hold it, of an operator or an enclave. @throws CliError USAGE_VALUE */
export function parseName(text: string, option: string): string {
  if (isName(text)) return text;
  const rule = 'lower-case letters, digits, ".", "_" and "-", at most 63, the first a letter or digit';
  throw usageError('USAGE_VALUE', `${option} takes a name (${rule}), not "${text}"`);
}
