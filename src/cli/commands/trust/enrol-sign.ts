import { Command, Option } from 'clipanion';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { enrolmentJson, renderSigned, signEnrolmentFile } from './enrol-files.ts';

export class TrustEnrolSign extends DaemonCommand {
  static override paths = [['trust', 'enrol', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to an enrolment, of a host or an operator. Signing twice changes nothing.',
    examples: [['The second of two', '$0 trust enrol sign carol.enrolment.json --key bob.key.pem']],
  });

  file = Option.String({ name: 'ENROLMENT' });
  key = Option.String('--key', { required: true, description: 'sign with the private key in `FILE`' });
  out = Option.String('--out', { description: 'write `FILE` instead of the enrolment itself' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const key = await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const signed = signEnrolmentFile(this.file, key, this.out);
    this.result({ keyid: key.publicKey.keyid, ...enrolmentJson(signed) }, renderSigned(signed));
    return EXIT.done;
  }
}
