import { Command, Option } from 'clipanion';
import { addSignature, preAuthEncodingOf, type SignResult, signBundle } from '../../../bundle/sign-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';
import { loadPrivateKey, loadPublicKey } from '../../key-files-io.ts';

const SIGNATURE_BYTES = 64;

export class BundleSign extends DaemonCommand {
  static override paths = [['bundle', 'sign']];
  static override usage = Command.Usage({
    description: 'Sign a bundle directory. Several people sign one after the other; signing twice changes nothing.',
    details:
      'A smart card or HSM signs what --print-pae writes to standard output; --add-signature takes the result in.',
    examples: [
      ['With a key file', '$0 bundle sign linux-1.bundle --key alice.key.pem'],
      ['With a card: what to sign', '$0 bundle sign linux-1.bundle --print-pae > to-sign'],
      ['With a card: its 64 bytes', '$0 bundle sign linux-1.bundle --add-signature sig.bin --public alice.pub.pem'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  key = Option.String('--key', { description: 'sign with the private key in `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });
  printPae = Option.Boolean('--print-pae', false, { description: 'write the bytes to sign to standard output' });
  signature = Option.String('--add-signature', { description: 'add the raw signature (64 bytes) in `FILE`' });
  publicKey = Option.String('--public', { description: 'the public key of --add-signature is in `FILE`' });

  async run(): Promise<ExitCode> {
    if ([this.key, this.signature, this.printPae || undefined].filter((way) => way !== undefined).length !== 1) {
      throw usageError('USAGE_OPTION', 'say how to sign: one of --key, --print-pae or --add-signature');
    }
    if (this.printPae) {
      await this.context.output.stream(await preAuthEncodingOf(this.directory));
      return EXIT.done;
    }
    const signed = await this.#sign();
    const done = signed.added ? 'signed' : 'was signed before';
    this.result(
      { directory: this.directory, ...signed },
      `${escapeForTerminal(this.directory)} ${done} by ${signed.keyid}; ${count(signed.signatures, 'signature')} now`,
    );
    return EXIT.done;
  }

  async #sign(): Promise<SignResult> {
    if (this.signature === undefined) {
      return signBundle(this.directory, await loadPrivateKey(this.key ?? '', this.context, this.passphraseFile));
    }
    if (this.publicKey === undefined) throw usageError('USAGE_OPTION', '--add-signature needs --public');
    const bytes = readInputFile(this.signature, { maxBytes: SIGNATURE_BYTES });
    return addSignature(this.directory, loadPublicKey(this.publicKey), bytes);
  }
}
