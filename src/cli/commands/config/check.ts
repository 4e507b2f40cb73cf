import { Command, Option } from 'clipanion';
import { CONFIG_LIMITS, parseSettings } from '../../../config/parse.ts';
import { DEFAULTS, isSignedOnly, settingsIn } from '../../../config/settings.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';
import { settingText } from '../../render/configuration.ts';

export class ConfigCheck extends DaemonCommand {
  static override paths = [['config', 'check']];
  static override usage = Command.Usage({
    description: 'Check a file of settings: known settings with values that they can have.',
    details: 'The same check that a bundle of kind config and the local files go through.',
    examples: [['Before it is published', '$0 config check settings/config.yaml']],
  });

  file = Option.String({ name: 'FILE' });

  async run(): Promise<ExitCode> {
    // One byte more than settings may have, for the parser to refuse.
    const settings = parseSettings(readInputFile(this.file, { maxBytes: CONFIG_LIMITS.maxBytes + 1 }), this.file);
    const found = settingsIn(settings).map((name) => {
      return { name, value: settings[name] ?? DEFAULTS[name], signedOnly: isSignedOnly(name) };
    });
    const lines = found.map(({ name, value }) => `  ${name}  ${settingText(value)}`);
    const head = `${escapeForTerminal(this.file)}: ${count(found.length, 'setting')}, all known`;
    this.result({ file: this.file, settings: found }, [head, ...lines].join('\n'));
    const restricted = found.filter(({ signedOnly }) => signedOnly).map(({ name }) => name);
    if (restricted.length > 0) {
      this.note(`${restricted.join(', ')}: only in a signed bundle where the trust root has a role config`);
    }
    return EXIT.done;
  }
}
