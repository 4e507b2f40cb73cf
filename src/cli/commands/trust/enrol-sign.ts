import { Command, Option } from 'clipanion';
import { SignEnrolmentCommand } from './enrol-files.ts';

export class TrustEnrolSign extends SignEnrolmentCommand {
  static override paths = [['trust', 'enrol', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to an enrolment, of a host or an operator. Signing twice changes nothing.',
    details:
      'One after the other, or each a copy that --merge takes in. A smart card or HSM signs what --print-pae writes; ' +
      '--add-signature takes the result in.',
    examples: [
      ['The second of two', '$0 trust enrol sign carol.enrolment.json --key bob.key.pem'],
      ['A copy that bob signed', '$0 trust enrol sign carol.enrolment.json --merge from-bob.json'],
      [
        'With a card: its 64 bytes',
        '$0 trust enrol sign carol.enrolment.json --add-signature sig.bin --key bob.pub.pem',
      ],
    ],
  });

  override file = Option.String({ name: 'ENROLMENT' });
}
