import { Command, Option } from 'clipanion';
import { verifyLedger } from '../../../ledger/verify-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { judging } from '../../judging.ts';
import { logAuthority, logDirectory } from '../../log-argument-io.ts';
import { renderReport } from '../../render/report.ts';

export class LedgerVerify extends DaemonCommand {
  static override paths = [['ledger', 'verify']];
  static override usage = Command.Usage({
    description: "Check a log from its first line; without LOG, this host's install log. Exit code 0 or 3.",
    details:
      'The key must come from elsewhere than the log: from --key, or, for logs in the data directory, from this host. ' +
      'A change is reported with file, line and what is wrong with it.',
    examples: [
      ['The install log', '$0 ledger verify'],
      ['A copy from another host', '$0 ledger verify copy/logs/install --key host-7.log.pub.pem'],
    ],
  });

  log = Option.String({ name: 'LOG', required: false });
  key = Option.String('--key', { description: 'the log is signed by the public key in `FILE`' });

  async run(): Promise<ExitCode> {
    const directory = logDirectory(this.dataDirectory, this.log);
    const { key, anchors } = await judging(() => logAuthority(this.dataDirectory, directory, this.key));
    const report = await verifyLedger(directory, { ...(key === undefined ? {} : { key }), anchors });
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }
}
