import { Command, Option } from 'clipanion';
import { usageError } from '../../errors.ts';
import { ENROLMENT_FILE, SignEnrolmentCommand } from './enrol-files.ts';

export class TrustEnrolHost extends SignEnrolmentCommand {
  static override paths = [['trust', 'enrol', 'host']];
  static override usage = Command.Usage({
    description: "Sign a host's request: from then on its logs are believed where the trust root is.",
    details:
      'Compare the fingerprint with what the host showed, by another way than the file. As many holders of the role ' +
      'enrol sign as its threshold says, one after the other or each a copy, in any order; trust enrol accept gathers ' +
      'them. A smart card or HSM signs what --print-pae writes; --add-signature takes the result in.',
    examples: [
      ['The request itself', '$0 trust enrol host plant-7.enrolment.json --key alice.key.pem'],
      ['A copy', '$0 trust enrol host plant-7.enrolment.json --key bob.key.pem --out plant-7.bob.json'],
      ['With a card: what to sign', '$0 trust enrol host plant-7.enrolment.json --print-pae --out to-sign'],
    ],
  });

  override file = Option.String({ name: 'REQUEST' });

  protected override readonly fileFormat = {
    ...ENROLMENT_FILE,
    parse: (bytes: Uint8Array) => {
      const parsed = ENROLMENT_FILE.parse(bytes);
      if (parsed.document.operator === undefined) return parsed;
      throw usageError('USAGE_VALUE', 'it is the enrolment of an operator; sign it with trust enrol sign');
    },
  };
}
