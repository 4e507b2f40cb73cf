import { Command } from 'clipanion';
import { escapeForTerminal } from '../../core/terminal-text.ts';
import { initHost } from '../../install/host-io.ts';
import { systemRandom } from '../../ledger/surroundings-io.ts';
import { DaemonCommand } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';

export class Init extends DaemonCommand {
  static override paths = [['init']];
  static override usage = Command.Usage({
    description: 'Make the data directory of this host: a random host id, its keys, its install log.',
    examples: [
      ['Where this person keeps data', '$0 init'],
      ['Somewhere else', '$0 init --data /srv/daemoneye'],
    ],
  });

  async run(): Promise<ExitCode> {
    const data = this.dataDirectory;
    const { host, origin, key } = initHost(data, this.now, systemRandom);
    this.result(
      { data, host, origin, logKey: key.publicKey.keyid },
      [`data     ${escapeForTerminal(data)}`, `host     ${host}`, `log key  ${key.publicKey.keyid}`].join('\n'),
    );
    this.note("Next: pin the publisher's trust root: daemoneye trust pin ROOT --fingerprint F");
    return EXIT.done;
  }
}
