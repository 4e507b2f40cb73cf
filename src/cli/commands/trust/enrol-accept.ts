import { Command, Option } from 'clipanion';
import { acceptEnrolment } from '../../../install/enrolment-io.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { openInstallHere } from '../../install-here-io.ts';
import { readEnrolmentFile, renderEnrolment } from './enrol-files.ts';

export class TrustEnrolAccept extends DaemonCommand {
  static override paths = [['trust', 'enrol', 'accept']];
  static override usage = Command.Usage({
    description: 'Take in a signed enrolment, if enough holders of the role enrol stand behind it. Exit code 3 if not.',
    details:
      'Judged by the trust root pinned here. Several files are copies of one enrolment, signed apart. It is verified ' +
      'again each time it is used, so a newer trust root can take it back.',
    examples: [
      ['One file with all signatures', '$0 trust enrol accept plant-7.enrolment.json'],
      ['Two copies', '$0 trust enrol accept plant-7.alice.json plant-7.bob.json'],
    ],
  });

  files = Option.Rest({ name: 'ENROLMENT', required: 1 });

  async run(): Promise<ExitCode> {
    const [first, ...others] = this.files.map(readEnrolmentFile);
    if (first === undefined) throw usageError('USAGE_ARGUMENT', 'name the file of an enrolment');
    await using install = await openInstallHere(this.dataDirectory);
    const { enrolment, file, root } = await acceptEnrolment(install, [first, ...others]);
    const { document, payload, signers } = enrolment;
    this.result(
      { file, fingerprint: payload, enrolment: document, signers },
      `${renderEnrolment(enrolment, payload)}\naccepted under trust root ${root.version}`,
    );
    return EXIT.done;
  }
}
