import { usageError } from './errors.ts';

/** One of a few words. @throws CliError USAGE_VALUE */
export function parseChoice<Word extends string>(text: string, words: readonly Word[], option: string): Word {
  const word = words.find((known) => known === text);
  if (word === undefined) throw usageError('USAGE_VALUE', `${option} is one of ${words.join(', ')}`);
  return word;
}
