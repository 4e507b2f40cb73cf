import { usageError } from './errors.ts';
import { didYouMean, suggest } from './suggest.ts';

/** What a command line asks for, before its options are looked at. */
export type Resolution =
  | { readonly kind: 'command'; readonly name: string; readonly argv: readonly string[] }
  /** Help about a command (`name`), a noun (`noun`), or everything. */
  | { readonly kind: 'help'; readonly name?: string; readonly noun?: string };

/** Options that hold for every command and may stand before its words; these take a value. */
const VALUED_GLOBALS = new Set(['--data']);

/**
 * Finds which command `argv` names among `names` (`noun verb`, or one word), so that only that command is loaded.
 * @throws CliError USAGE_COMMAND, with the nearest names
 */
export function resolveCommand(argv: readonly string[], names: readonly string[]): Resolution {
  const { words, options } = split(argv);
  const isHelp = options.includes('--help') || options.includes('-h') || words[0] === 'help';
  const [first, second, third] = words[0] === 'help' ? words.slice(1) : words;
  if (first === undefined) {
    if (options.includes('--version')) return { kind: 'command', name: 'version', argv: versionArgv(argv) };
    return { kind: 'help' };
  }
  const longest = [`${first} ${second} ${third}`, `${first} ${second}`].find((words) => names.includes(words));
  const name = longest ?? first;
  if (names.includes(name)) return isHelp ? { kind: 'help', name } : { kind: 'command', name, argv };
  const verbs = verbsOf(first, names);
  if (verbs.length === 0) throw unknownNoun(first, second, names);
  if (second !== undefined) throw unknownVerb(first, second, verbs);
  if (isHelp) return { kind: 'help', noun: first };
  throw usageError('USAGE_COMMAND', `"${first}" needs one of: ${verbs.join(', ')}; see daemoneye ${first} --help`);
}

function versionArgv(argv: readonly string[]): string[] {
  return ['version', ...argv.filter((argument) => argument !== '--version')];
}

/** The words a command may be made of, and the options before any `--`. */
function split(argv: readonly string[]): { words: string[]; options: string[] } {
  const words: string[] = [];
  const options: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    if (argument === '--') break;
    if (!argument.startsWith('-')) words.push(argument);
    else {
      options.push(argument);
      if (VALUED_GLOBALS.has(argument)) i += 1;
    }
  }
  return { words, options };
}

export function verbsOf(noun: string, names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(`${noun} `)).map((name) => name.slice(noun.length + 1));
}

function unknownNoun(first: string, second: string | undefined, names: readonly string[]): Error {
  const nouns = [...new Set(names.map((name) => name.split(' ')[0] ?? name))];
  // "verify x" instead of "bundle verify x" is as likely as a slip of the finger.
  const byVerb = names.filter((name) => name.endsWith(` ${first}`)).slice(0, 3);
  const near = suggest(first, nouns).map((noun) => (names.includes(`${noun} ${second}`) ? `${noun} ${second}` : noun));
  const suggestions = byVerb.length > 0 ? byVerb : near;
  const hint = didYouMean(suggestions) || '; see daemoneye --help';
  return usageError('USAGE_COMMAND', `there is no command "${first}"${hint}`);
}

function unknownVerb(noun: string, verb: string, verbs: readonly string[]): Error {
  const suggestions = suggest(verb, verbs).map((near) => `${noun} ${near}`);
  const hint = didYouMean(suggestions) || `; "${noun}" knows ${verbs.join(', ')}`;
  return usageError('USAGE_COMMAND', `there is no command "${noun} ${verb}"${hint}`);
}
