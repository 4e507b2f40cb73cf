import { Command, Option } from 'clipanion';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { enrolmentJson, renderSigned, signEnrolmentFile } from './enrol-files.ts';

export class TrustEnrolHost extends DaemonCommand {
  static override paths = [['trust', 'enrol', 'host']];
  static override usage = Command.Usage({
    description: "Sign a host's request: from then on its logs are believed where the trust root is.",
    details:
      'Compare the fingerprint with what the host showed, by another way than the file. As many holders of the role ' +
      'enrol sign as its threshold says, one after the other or each a copy, in any order; trust enrol accept gathers them.',
    examples: [
      ['The request itself', '$0 trust enrol host plant-7.enrolment.json --key alice.key.pem'],
      ['A copy', '$0 trust enrol host plant-7.enrolment.json --key bob.key.pem --out plant-7.bob.json'],
    ],
  });

  request = Option.String({ name: 'REQUEST' });
  key = Option.String('--key', { required: true, description: 'sign with the private key in `FILE`' });
  out = Option.String('--out', { description: 'write `FILE` instead of the request itself' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const key = await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const signed = signEnrolmentFile(this.request, key, this.out, 'host');
    this.result({ keyid: key.publicKey.keyid, ...enrolmentJson(signed) }, renderSigned(signed));
    return EXIT.done;
  }
}
