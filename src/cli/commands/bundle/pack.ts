import { Command, Option } from 'clipanion';
import { packBundle } from '../../../bundle/pack-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { writtenText, writtenTo } from '../../written-io.ts';

export class BundlePack extends DaemonCommand {
  static override paths = [['bundle', 'pack']];
  static override usage = Command.Usage({
    description: 'Pack a bundle directory into one tar for a stick; written through, then read again and compared.',
    details: 'With --recipient it can be read only by them, with any age tool; the signatures are inside.',
    examples: [
      ['Onto a stick', '$0 bundle pack linux-1.bundle --out /media/usb/linux-1.bundle.tar'],
      ['For plant 7 only', '$0 bundle pack linux-1.bundle --recipient age1… --out /media/usb/linux-1.bundle.tar.age'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });

  recipients = Option.Array('--recipient', [], { description: 'encrypt to the age recipient `AGE1`; repeatable' });

  async run(): Promise<ExitCode> {
    const { sha256, bytes, readBack } = await packBundle(this.directory, this.out, await this.#encryption());
    const written = writtenTo(this.out, [readBack]);
    this.result(
      { file: this.out, sha256, bytes, ...written },
      `${escapeForTerminal(this.out)}  ${bytes} bytes  sha256:${sha256}`,
    );
    for (const line of writtenText(written)) this.note(line);
    return EXIT.done;
  }

  /** Loaded only where there is somebody to encrypt to. */
  async #encryption() {
    const { recipients } = this;
    if (recipients.length === 0) return undefined;
    const { encryptTo } = await import('../../../seal/age-files.ts');
    return (tar: AsyncIterable<Uint8Array>) => encryptTo(tar, recipients);
  }
}
