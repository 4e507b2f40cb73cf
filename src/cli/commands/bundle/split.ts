import { Command, Option } from 'clipanion';
import { parseMediaSize } from '../../../bundle/volumes/sizes.ts';
import { splitBundle } from '../../../bundle/volumes/split-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { parseWholeNumber } from '../../whole-number.ts';
import { writtenText, writtenTo } from '../../written-io.ts';

export class BundleSplit extends DaemonCommand {
  static override paths = [['bundle', 'split']];
  static override usage = Command.Usage({
    description: 'Cut a bundle into volumes that fit a medium; each is checkable alone, in any order.',
    details:
      'Writes F.001, F.002 and so on. The same bundle and size give the same volumes: --only makes a lost one again, ' +
      'and what an interrupted run left is compared and kept. ' +
      'Sizes: 650M, 650MB, or fat32, cd, dvd, dvd-dl, bd. A volume holds the whole index and at least one piece of at ' +
      'most 64 MiB.',
    examples: [
      ['For discs', '$0 bundle split linux-1.bundle.tar --size cd'],
      ['The third again', '$0 bundle split linux-1.bundle.tar --size cd --only 3 --out again'],
    ],
  });

  bundle = Option.String({ name: 'BUNDLE' });
  size = Option.String('--size', { required: true, description: 'no volume is larger than `SIZE`' });
  out = Option.String('--out', { description: 'write `PREFIX`.001 and so on; default: beside the bundle' });
  only = Option.Array('--only', { description: 'write volume `NUMBER` only' });

  async run(): Promise<ExitCode> {
    const size = parseMediaSize(this.size);
    const only = this.only?.map((number) => parseWholeNumber(number, '--only'));
    const prefix = this.out ?? this.bundle.replace(/[/\\]+$/, '');
    const bar = this.progress('splitting', { unit: 'bytes' });
    const { volumes, count: all } = await splitBundle(this.bundle, prefix, {
      size,
      ...(only === undefined ? {} : { only: new Set(only) }),
      signal: this.signal,
      progress: bar.update,
    });
    const lines = volumes.map(
      ({ file, bytes, sha256, kept }) =>
        `${escapeForTerminal(file)}  ${bytes} bytes  sha256:${sha256}${kept === undefined ? '' : '  was here already'}`,
    );
    const written = writtenTo(
      volumes[0]?.file ?? prefix,
      volumes.map(({ readBack }) => readBack),
    );
    const told = volumes.map(({ readBack: _, ...volume }) => volume);
    this.result({ volumes: told, count: all, ...written }, lines.join('\n'));
    for (const line of writtenText(written)) this.note(line);
    this.note(`${count(all, 'volume')} in all. Check them anywhere: bundle volumes`);
    return EXIT.done;
  }
}
