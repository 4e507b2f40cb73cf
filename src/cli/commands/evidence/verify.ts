import { Command, Option } from 'clipanion';
import { verifyEvidence } from '../../../forensics/evidence/verify-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderReport } from '../../render/report.ts';
import { evidenceTrust } from './trust-argument.ts';

export class EvidenceVerify extends DaemonCommand {
  static override paths = [['evidence', 'verify']];
  static override usage = Command.Usage({
    description:
      'Verify an evidence package and print every check. Exit code 0 if it is trusted, 3 if not. Changes nothing.',
    details:
      'Against --trust ROOT, a file or directory you trust already; without it against the root pinned here. The keys in ' +
      'the package count only where an enrolment, in the package or known here, names them under that root.',
    examples: [
      ['On the workstation that pinned the root', '$0 evidence verify /media/usb/plant-7-1.evidence.tar'],
      ['Anywhere', '$0 evidence verify plant-7-1.evidence.tar --trust root'],
    ],
  });

  package = Option.String({ name: 'PACKAGE' });
  trust = Option.String('--trust', { description: 'judge by the trust root in `ROOT`' });
  enrolments = Option.Array('--enrolment', [], { description: 'know the enrolment in `FILE`, too' });
  floor = Option.String('--floor', { description: 'it is at least `MOMENT` (2027-01-31)' });

  async run(): Promise<ExitCode> {
    const { trust: root, enrolments, floor, now, signal } = this;
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor, now });
    const { report } = await verifyEvidence(this.package, trust, { signal });
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }
}
