import { Command } from 'clipanion';
import { DaemonCommand } from '../../command.ts';
import { loadConfiguration } from '../../configuration-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderSettings } from '../../render/configuration.ts';
import { wrapText } from '../../render/text.ts';

export class ConfigShow extends DaemonCommand {
  static override paths = [['config', 'show']];
  static override usage = Command.Usage({
    description: 'Show every setting that holds here, and who says so.',
    details:
      'From the weakest: default, signed bundle of kind config, file of the machine, file of the person, environment, option of a command.',
    examples: [['Why is it looking so often', '$0 config show']],
  });

  async run(): Promise<ExitCode> {
    const { resolved, signedOnly, why, files } = await loadConfiguration(this.dataDirectory, this.context.env);
    const lines = [...renderSettings(resolved, this.style), '', ...wrapText(why, this.style.width)];
    const looked = files.map(({ path, found }) => `${path}${found ? '' : ' (not there)'}`);
    this.result({ settings: resolved, signedOnly, why, files }, lines.join('\n'));
    this.note(`local files: ${looked.join(', ')}`);
    return EXIT.done;
  }
}
