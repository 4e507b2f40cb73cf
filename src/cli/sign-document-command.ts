import { Option } from 'clipanion';
import type { DocumentFormat } from '../verify/signed-document.ts';
import { DaemonCommand } from './command.ts';
import { documentJson, renderDocumentFile, signDocumentFile } from './document-files-io.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { loadPrivateKey } from './key-files-io.ts';

/** The base of the commands that add a signature to a short document: the format and its words are all that differs. */
export abstract class SignDocumentCommand<D> extends DaemonCommand {
  file = Option.String({ name: 'FILE' });
  key = Option.String('--key', { required: true, description: 'sign with the private key in `FILE`' });
  out = Option.String('--out', { description: 'write `FILE` instead of the same' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  protected abstract readonly format: DocumentFormat<D>;
  protected abstract words(document: D): readonly string[];

  async run(): Promise<ExitCode> {
    const key = await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const signed = signDocumentFile(this.format, this.file, key, this.out);
    const json = { ...documentJson(signed), keyid: key.publicKey.keyid };
    this.result(json, renderDocumentFile(signed, this.words(signed.document)));
    return EXIT.done;
  }
}
