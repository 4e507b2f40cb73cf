import { usageError } from './errors.ts';

/** A whole number from 0 as people write it. @throws CliError USAGE_VALUE */
export function parseWholeNumber(text: string, what: string): number {
  if (!/^(?:0|[1-9][0-9]{0,14})$/.test(text))
    throw usageError('USAGE_VALUE', `${what} is a whole number, not "${text}"`);
  return Number(text);
}
