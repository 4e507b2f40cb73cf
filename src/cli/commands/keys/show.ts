import { Command, Option } from 'clipanion';
import { exportPublicKey, KEY_FORMATS } from '../../../verify/release/sidecars.ts';
import { parseChoice } from '../../choice.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadEitherKey } from '../../key-files-io.ts';

export class KeysShow extends DaemonCommand {
  static override paths = [['keys', 'show']];
  static override usage = Command.Usage({
    description: 'Tell the keyid, the algorithm and the public half of a key file, private or public.',
    details: 'A private key is never printed. The keyid is the SHA-256 of the public key in SPKI DER.',
    examples: [
      ['Compare a keyid by voice', '$0 keys show alice.pub.pem'],
      ['For a clerk with minisign', '$0 keys show alice.pub.pem --format minisign > alice.minisign.pub'],
      ['Make the public file again from the private one', '$0 keys show alice.key.pem --json'],
    ],
  });

  file = Option.String({ name: 'FILE' });
  format = Option.String('--format', {
    description: 'print only the public key, as `TOOL` keeps it: pem, minisign, ssh or signify',
  });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const format = this.format === undefined ? undefined : parseChoice(this.format, KEY_FORMATS, '--format');
    const { half, publicKey } = await loadEitherKey(this.file, this.context, this.passphraseFile);
    const { keyid, algorithm, pem } = publicKey;
    if (format !== undefined) {
      const exported = exportPublicKey(format, publicKey);
      this.result({ keyid, algorithm, half, publicKey: pem, exported: { format, text: exported } }, exported);
      return EXIT.done;
    }
    this.result(
      { keyid, algorithm, half, publicKey: pem },
      [`keyid      ${keyid}`, `algorithm  ${algorithm}`, `file       the ${half} half`, '', pem].join('\n'),
    );
    return EXIT.done;
  }
}
