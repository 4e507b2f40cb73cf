import { Command, Option } from 'clipanion';
import { Witness } from '../../../ledger/witness-io.ts';
import { CarryingCommand, readCarriedFiles } from '../../carrying-command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderReport } from '../../render/report.ts';

export class LedgerWitnessCosign extends CarryingCommand {
  static override paths = [['ledger', 'witness', 'cosign']];
  static override usage = Command.Usage({
    description: 'Check that a log only grew since it was last seen, and cosign its checkpoint. Exit code 0 or 3.',
    details:
      'REQUEST is the file, or PNG images of its QR codes, or their text, pasted into a file. A log that was cut back, ' +
      'forked or rewritten is refused, both heads are shown, and the request is kept as evidence in DIR/conflicts.',
    examples: [
      ['From a stick', '$0 ledger witness cosign plant-7.request --state witness --out plant-7.cosigned'],
      ['From photographs, and back the same way', '$0 ledger witness cosign 1.png 2.png --state witness --qr'],
    ],
  });

  requests = Option.Rest({ name: 'REQUEST', required: 1 });
  state = Option.String('--state', { required: true, description: "the witness' directory `DIR`" });

  async run(): Promise<ExitCode> {
    this.assertWays();
    const request = await readCarriedFiles(this.requests);
    using witness = Witness.open(this.state);
    const { report, cosigned } = witness.cosign(request, this.now);
    const carried = cosigned === undefined ? undefined : await this.carry(cosigned);
    this.result(
      report,
      [renderReport(report, this.style), carried?.text ?? ''].filter((text) => text !== '').join('\n\n'),
    );
    this.noteWritten(carried?.written ?? []);
    return cosigned === undefined ? EXIT.untrusted : EXIT.done;
  }
}
