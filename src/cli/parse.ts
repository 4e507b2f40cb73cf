import { Cli, type CommandClass } from 'clipanion';
import { type CliContext, DaemonCommand } from './command.ts';
import { usageError } from './errors.ts';
import { explainSyntaxError } from './syntax-errors.ts';

/** One option as help and completions show it. */
export type OptionView = {
  readonly names: readonly string[];
  readonly takesValue: boolean;
  readonly required: boolean;
  readonly description: string;
};

export type UsageView = {
  /** `daemoneye keys show [options] FILE`. */
  readonly usage: string;
  readonly options: readonly OptionView[];
};

/** clipanion keeps the shape of a command's arguments protected. */
class OpenCli extends Cli<CliContext> {
  shapeOf(command: CommandClass<CliContext>): ReturnType<Cli<CliContext>['getUsageByRegistration']> {
    return this.getUsageByRegistration(command, { inlineOptions: false });
  }
}

function openCli(command: CommandClass<CliContext>): OpenCli {
  const cli = new OpenCli({ binaryName: 'daemoneye' });
  cli.register(command);
  return cli;
}

/**
 * The command with its options and arguments filled in.
 * @throws CliError USAGE_OPTION, USAGE_ARGUMENT or USAGE_VALUE
 */
export function parseCommand(
  command: CommandClass<CliContext>,
  name: string,
  argv: readonly string[],
  context: CliContext,
): DaemonCommand {
  const cli = openCli(command);
  try {
    const parsed = cli.process([...argv], context);
    if (parsed instanceof DaemonCommand) return parsed;
    throw new Error(`"${name}" is not a DaemonCommand`);
  } catch (thrown) {
    const explained = explainSyntaxError(thrown, name, argv, viewUsage(command).options);
    if (explained !== undefined) throw explained;
    // A validator's complaint about a value.
    if (thrown instanceof Error && thrown.name === 'UsageError') throw usageError('USAGE_VALUE', thrown.message);
    throw thrown;
  }
}

/** What a command takes, for help and completions. */
export function viewUsage(command: CommandClass<CliContext>): UsageView {
  const { usage, options } = openCli(command).shapeOf(command);
  // clipanion writes `<NAME>` for what must be given and `[NAME]` for what may: drop the marks of the former.
  const words = usage.replace(/<([^>]*)>/g, '$1').split(' ');
  const path = (command.paths?.[0]?.length ?? 0) + 1;
  return {
    usage: [...words.slice(0, path), '[options]', ...words.slice(path)].join(' '),
    options: options.map(({ definition, description, required }) => ({
      names: (definition.split(' ')[0] ?? '').split(','),
      takesValue: definition.includes(' #'),
      required,
      description,
    })),
  };
}
