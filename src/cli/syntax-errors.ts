import { type CliError, usageError } from './errors.ts';
import { didYouMean, suggest } from './suggest.ts';

/** What of a command's options the sentences need. */
export type OptionShape = { readonly names: readonly string[]; readonly required: boolean };

/** clipanion's syntax error as far as it is used here (its `errors.d.ts`). */
type SyntaxError = { readonly candidates: readonly { readonly reason: string | null }[] };

/**
 * Turns what clipanion throws for a malformed command line into one sentence of ours; undefined if it threw something
 * else. clipanion would print a page to standard output and exit with 1.
 */
export function explainSyntaxError(
  thrown: unknown,
  name: string,
  argv: readonly string[],
  options: readonly OptionShape[],
): CliError | undefined {
  if (!isSyntaxError(thrown)) return undefined;
  const reason = thrown.candidates.map(({ reason }) => reason).find((reason) => reason !== null) ?? '';
  return fromReason(reason, name, argv, options);
}

function isSyntaxError(thrown: unknown): thrown is SyntaxError {
  return thrown instanceof Error && thrown.name === 'UnknownSyntaxError' && 'candidates' in thrown;
}

function fromReason(
  reason: string,
  name: string,
  argv: readonly string[],
  options: readonly OptionShape[],
): CliError | undefined {
  const see = `see daemoneye ${name} --help`;
  const quoted = /\("([\s\S]*)"\)\.$/.exec(reason)?.[1] ?? '';
  if (reason.startsWith('Unsupported option') || reason.startsWith('Invalid option')) {
    return unknownOption(quoted, name, options, see);
  }
  if (reason.startsWith('Not enough arguments to option')) {
    const option = /option (\S+?)\.$/.exec(reason)?.[1] ?? 'an option';
    const hint = `${option} needs a value (one that starts with a dash is written ${option}=-value)`;
    return usageError('USAGE_OPTION', `${hint}; ${see}`);
  }
  if (reason.startsWith('Not enough positional')) return usageError('USAGE_ARGUMENT', `an argument is missing; ${see}`);
  if (reason.startsWith('Extraneous')) {
    return usageError('USAGE_ARGUMENT', `"${name}" takes no further argument "${quoted}"; ${see}`);
  }
  const missing = options
    .filter(({ required, names }) => required && !isGiven(argv, names))
    .map(({ names }) => names.at(-1));
  if (missing.length > 0) return usageError('USAGE_OPTION', `"${name}" needs ${missing.join(' and ')}; ${see}`);
  return usageError('USAGE_ARGUMENT', `the arguments of "${name}" can't be understood; ${see}`);
}

function unknownOption(typed: string, name: string, options: readonly OptionShape[], see: string): CliError {
  const option = typed.split('=')[0] ?? typed;
  const known = options.flatMap(({ names }) => names);
  if (typed.includes('=') && known.includes(option)) {
    return usageError('USAGE_OPTION', `${option} takes no value; ${see}`);
  }
  const long = [...known.filter((candidate) => candidate.startsWith('--')), '--help'];
  return usageError(
    'USAGE_OPTION',
    `"${name}" has no option "${option}"${didYouMean(suggest(option, long)) || `; ${see}`}`,
  );
}

function isGiven(argv: readonly string[], names: readonly string[]): boolean {
  return argv.some((argument) => names.includes(argument.split('=')[0] ?? argument));
}
