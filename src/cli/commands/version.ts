import { Command } from 'clipanion';
import { RELEASE } from '../../core/release.ts';
import { DaemonCommand } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { versionLine } from '../version-line.ts';

export class Version extends DaemonCommand {
  static override paths = [['version']];
  static override usage = Command.Usage({
    description: 'Tell what is running here: the release, the runtime it carries, and when it was built.',
    examples: [
      ['In a line', '$0 --version'],
      ['For a script', '$0 version --json'],
    ],
  });

  async run(): Promise<ExitCode> {
    const { name, version, builtAt } = RELEASE;
    const platform = `${process.platform}-${process.arch}`;
    this.result({ name, version, node: process.versions.node, platform, builtAt }, versionLine());
    return EXIT.done;
  }
}
