import { Command, Option } from 'clipanion';
import { DaemonCommand } from '../command.ts';
import { type CompletionModel, completionScript, isShell, SHELLS } from '../completions.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { viewUsage } from '../parse.ts';
import { COMMANDS } from '../registry.ts';

export class Completions extends DaemonCommand {
  static override paths = [['completions']];
  static override usage = Command.Usage({
    description: `Print a completion script for a shell: ${SHELLS.join(', ')}.`,
    examples: [
      ['bash, for this session', 'eval "$($0 completions bash)"'],
      ['fish, for good', '$0 completions fish > ~/.config/fish/completions/daemoneye.fish'],
    ],
  });

  shell = Option.String({ name: 'SHELL' });

  async run(): Promise<ExitCode> {
    if (!isShell(this.shell)) {
      throw usageError('USAGE_VALUE', `there are no completions for "${this.shell}"; choose ${SHELLS.join(', ')}`);
    }
    const script = completionScript(this.shell, await model());
    this.result({ shell: this.shell, script }, script);
    return EXIT.done;
  }
}

async function model(): Promise<CompletionModel> {
  const commands = Object.entries(COMMANDS).map(async ([name, { summary, load }]) => ({
    name,
    summary,
    options: viewUsage(await load()).options.flatMap(({ names }) => names.filter((option) => option.startsWith('--'))),
  }));
  return { commands: await Promise.all(commands) };
}
