import { Command, Option } from 'clipanion';
import { joinVolumes } from '../../../bundle/volumes/join-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { decryptionBy } from '../../volumes-argument-io.ts';

export class BundleJoin extends DaemonCommand {
  static override paths = [['bundle', 'join']];
  static override usage = Command.Usage({
    description: 'Put volumes together into one tar, the same that bundle pack makes; every piece is checked.',
    details: 'In any order. To apply them they need not be joined: bundle apply takes several.',
    examples: [
      ['All of them', '$0 bundle join linux-1.bundle.tar.001 linux-1.bundle.tar.002 --out linux-1.bundle.tar'],
    ],
  });

  volumes = Option.Rest({ name: 'VOLUME', required: 1 });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  identities = Option.Array('--identity', [], { description: 'open it with the age identity in `FILE`' });

  async run(): Promise<ExitCode> {
    const bar = this.progress('joining', { unit: 'bytes' });
    let done = 0;
    const watch = (piece: number, total: number): void => {
      this.signal.throwIfAborted();
      done += piece;
      bar.update(done, total);
    };
    const { sha256, bytes } = await joinVolumes(this.volumes, this.out, watch, decryptionBy(this.identities));
    this.result({ file: this.out, sha256, bytes }, `${escapeForTerminal(this.out)}  ${bytes} bytes  sha256:${sha256}`);
    return EXIT.done;
  }
}
