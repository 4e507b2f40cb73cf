import type { CommandClass } from 'clipanion';
import type { Time } from '../core/time.ts';
import type { CliContext } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { overviewHelp } from './help.ts';
import { Output, type OutputStream } from './output.ts';
import { COMMANDS, NOUNS } from './registry.ts';
import type { Environment, Stream } from './render/style.ts';
import { type Resolution, resolveCommand } from './resolve.ts';

/** Everything of the process that a run may touch. */
export type World = {
  readonly env: Environment;
  readonly stdin: NodeJS.ReadableStream & Stream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly signal: AbortSignal;
  readonly now: Time;
};

/**
 * Runs one command line (without the program's own name). Never throws: whatever goes wrong is told on the streams.
 * @returns the exit code
 */
export async function runCli(argv: readonly string[], world: World): Promise<number> {
  const output = new Output(world.stdout, world.stderr, world.env, outputOptions(argv));
  const code = await attempt(output, world.signal, () => dispatch(argv, world, output));
  return attempt(output, world.signal, async () => {
    await output.flush();
    return code;
  });
}

/** However a command words it, having stopped because it was asked to is told as that. */
async function attempt(output: Output, signal: AbortSignal, action: () => Promise<number>): Promise<number> {
  try {
    return await action();
  } catch (thrown) {
    return output.error(signal.aborted && stems(thrown, signal.reason) ? signal.reason : thrown);
  }
}

/** Whether `reason` is `thrown` or among its causes. */
function stems(thrown: unknown, reason: unknown): boolean {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
    if (error === reason || error.name === 'AbortError') return true;
  }
  return false;
}

async function dispatch(argv: readonly string[], world: World, output: Output): Promise<number> {
  const resolution = resolveCommand(argv, Object.keys(COMMANDS));
  if (resolution.kind === 'help') return showHelp(resolution, output);
  const context: CliContext = {
    env: world.env as CliContext['env'],
    stdin: world.stdin as CliContext['stdin'],
    stdout: world.stdout,
    stderr: world.stderr,
    colorDepth: 1,
    output,
    signal: world.signal,
    now: world.now,
  };
  const { name, argv: words } = resolution;
  const [{ parseCommand }, commandClass] = await Promise.all([import('./parse.ts'), loadCommand(name)]);
  return parseCommand(commandClass, name, words, context).execute();
}

async function showHelp(help: Extract<Resolution, { kind: 'help' }>, output: Output): Promise<number> {
  // Help is for people, also with --json.
  await output.stream(`${await helpText(help, output)}\n`);
  return EXIT.done;
}

async function helpText({ name, noun }: Extract<Resolution, { kind: 'help' }>, { style }: Output): Promise<string> {
  if (name === undefined) return overviewHelp({ commands: COMMANDS, nouns: NOUNS }, style, noun);
  const [{ commandHelp }, commandClass] = await Promise.all([import('./command-help.ts'), loadCommand(name)]);
  return commandHelp(commandClass, style);
}

/** The class behind a row of the registry. */
export async function loadCommand(name: string): Promise<CommandClass<CliContext>> {
  const entry = COMMANDS[name];
  if (entry === undefined) throw new Error(`no command "${name}" in the registry`);
  return entry.load();
}

/** Read before the command is known, so that an unknown command is also told in the form that was asked for. */
function outputOptions(argv: readonly string[]): { json: boolean; verbose: boolean; noColour: boolean } {
  const end = argv.indexOf('--');
  const options = new Set(end === -1 ? argv : argv.slice(0, end));
  return { json: options.has('--json'), verbose: options.has('--verbose'), noColour: options.has('--no-color') };
}
