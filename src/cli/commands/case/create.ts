import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { createCase } from '../../../forensics/case/case-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class CaseCreate extends DaemonCommand {
  static override paths = [['case', 'create']];
  static override usage = Command.Usage({
    description: 'Make an empty case in the data directory.',
    details: 'A case holds verified evidence packages and a database made from them, which is only ever read.',
    examples: [['For what happened on the seventh', '$0 case create march-7']],
  });

  name = Option.String({ name: 'NAME' });

  async run(): Promise<ExitCode> {
    const { directory, document } = await createCase(this.dataDirectory, this.name, this.now);
    this.result({ directory, ...document }, `case ${document.name} in ${escapeForTerminal(directory)}`);
    this.note(`Next: daemoneye case add ${document.name} PACKAGE`);
    return EXIT.done;
  }
}
