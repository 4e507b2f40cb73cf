import { Command, Option } from 'clipanion';
import { sha256Digest } from '../../../core/digest.ts';
import { writeFileDurably } from '../../../durable/files-io.ts';
import { hostEnrolmentRequest } from '../../../install/enrolment-io.ts';
import { parseEnrolmentEnvelope } from '../../../verify/enrolment.ts';
import { parseEnrolmentPayload } from '../../../verify/enrolment-document.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { refuseExisting } from '../../files-io.ts';
import { parseMoment } from '../../moment.ts';
import { renderEnrolment } from './enrol-files.ts';

export class TrustEnrolRequest extends DaemonCommand {
  static override paths = [['trust', 'enrol', 'request']];
  static override usage = Command.Usage({
    description:
      "Ask, on a host, that its logs be believed elsewhere: write an unsigned enrolment of this host's logs.",
    details:
      'Carry the file to the holders of the role enrol and tell them its fingerprint by another way. They sign it ' +
      '(trust enrol host), and it is accepted (trust enrol accept) here and wherever evidence of this host is judged. ' +
      'Logs made later need another request; enrolments add up.',
    examples: [['All logs of this host', '$0 trust enrol request --out plant-7.enrolment.json']],
  });

  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  expires = Option.String('--expires', { description: 'ask until `MOMENT` (2027-01-31, 365d); default until revoked' });

  async run(): Promise<ExitCode> {
    refuseExisting([this.out]);
    const expires = this.expires === undefined ? undefined : parseMoment(this.expires, this.now, '--expires');
    const { document, bytes } = hostEnrolmentRequest(this.dataDirectory, this.now, expires);
    writeFileDurably(this.out, bytes, { mode: 0o644 });
    const { payload } = parseEnrolmentEnvelope(bytes);
    const fingerprint = sha256Digest(payload);
    this.result(
      { file: this.out, fingerprint, signatures: 0, enrolment: document },
      renderEnrolment(parseEnrolmentPayload(payload), fingerprint),
    );
    this.note('Next, by holders of the role enrol: daemoneye trust enrol host FILE --key KEY');
    return EXIT.done;
  }
}
