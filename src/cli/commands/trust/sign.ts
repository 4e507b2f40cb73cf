import { Command, Option } from 'clipanion';
import { payloadDigest } from '../../../core/dsse.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { signDraft } from '../../trust-workspace-io.ts';

const NO_ROOT_KEY =
  'This key does not hold the role root in the draft: it counts only if it held it in the version before.';

export class TrustSign extends DaemonCommand {
  static override paths = [['trust', 'sign']];
  static override usage = Command.Usage({
    description: 'Sign the draft of a trust root: in its directory, or a copy of draft.root.dsse.json.',
    details: 'People on separate machines sign copies, in any order; trust finish gathers them.',
    examples: [
      ['Here', '$0 trust sign root --key alice.key.pem'],
      ['A copy that came on a stick', '$0 trust sign draft.root.dsse.json --key bob.key.pem'],
    ],
  });

  draft = Option.String({ name: 'DIR_OR_FILE' });
  key = Option.String('--key', { required: true, description: 'sign with the private key in `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const key = await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const { file, envelope, document } = signDraft(this.draft, key);
    const fingerprint = payloadDigest(envelope);
    this.result(
      { file, keyid: key.publicKey.keyid, fingerprint, signatures: envelope.signatures.length },
      `${escapeForTerminal(file)}: ${count(envelope.signatures.length, 'signature')}, fingerprint ${fingerprint}`,
    );
    if (document.roles['root']?.keyids.includes(key.publicKey.keyid) !== true) this.note(NO_ROOT_KEY);
    return EXIT.done;
  }
}
