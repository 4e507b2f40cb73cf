import { Command, Option } from 'clipanion';
import { packBundle } from '../../../bundle/pack-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class BundlePack extends DaemonCommand {
  static override paths = [['bundle', 'pack']];
  static override usage = Command.Usage({
    description: 'Pack a bundle directory into one tar for a stick; written through, then read again and compared.',
    examples: [['Onto a stick', '$0 bundle pack linux-1.bundle --out /media/usb/linux-1.bundle.tar']],
  });

  directory = Option.String({ name: 'DIR' });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });

  async run(): Promise<ExitCode> {
    const { sha256, bytes } = await packBundle(this.directory, this.out);
    this.result({ file: this.out, sha256, bytes }, `${escapeForTerminal(this.out)}  ${bytes} bytes  sha256:${sha256}`);
    this.note('Written through to the medium and read again: safe to remove once it is unmounted.');
    return EXIT.done;
  }
}
