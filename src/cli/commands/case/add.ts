import { Command, Option } from 'clipanion';
import { count } from '../../../core/wording.ts';
import { type AddOutcome, addPackage } from '../../../forensics/case/add-io.ts';
import { verifyEvidence } from '../../../forensics/evidence/verify-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderReport } from '../../render/report.ts';
import { evidenceTrust } from '../evidence/trust-argument.ts';

export class CaseAdd extends DaemonCommand {
  static override paths = [['case', 'add']];
  static override usage = Command.Usage({
    description: 'Verify an evidence package and add it to a case. Exit code 3 if it is not trusted.',
    details:
      'It is copied and verified first, always, against --trust ROOT or the root pinned here; then its lines become tables.',
    examples: [['From a stick', '$0 case add march-7 /media/usb/march-7-1.evidence.tar']],
  });

  name = Option.String({ name: 'NAME' });
  package = Option.String({ name: 'PACKAGE' });
  trust = Option.String('--trust', { description: 'judge by the trust root in `ROOT`' });
  enrolment = Option.Array('--enrolment', [], { description: 'an enrolment known here, in `FILE`; repeatable' });
  floor = Option.String('--floor', { description: 'it is at least `MOMENT` (2027-01-31)' });

  async run(): Promise<ExitCode> {
    const { trust: root, enrolment: enrolments, floor, now, signal } = this;
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor, now });
    const outcome = await addPackage(this.dataDirectory, this.name, this.package, {
      now,
      verify: (path, staging) => verifyEvidence(path, trust, { staging, signal }),
      signal,
    });
    this.result(outcome, `${renderReport(outcome.report, this.style)}\n\n${this.#told(outcome)}`);
    return outcome.status === 'refused' ? EXIT.untrusted : EXIT.done;
  }

  #told(outcome: AddOutcome): string {
    if (outcome.status === 'refused') return 'Nothing was added.';
    const { name, lines, withheld } = outcome.package;
    if (outcome.status === 'unchanged') return `${name} is in the case already; nothing was changed.`;
    const packages = count(outcome.case.document.packages.length, 'package');
    return `added ${name}: ${count(lines, 'line')}, ${withheld} withheld; the case now has ${packages}`;
  }
}
