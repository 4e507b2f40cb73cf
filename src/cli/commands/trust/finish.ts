import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { sayTakenBack } from '../../taken-back.ts';
import { finishDraft } from '../../trust-workspace-io.ts';

export class TrustFinish extends DaemonCommand {
  static override paths = [['trust', 'finish']];
  static override usage = Command.Usage({
    description: 'Gather the signatures, also from copies, and make the next version; refuses below the threshold.',
    details:
      'A version after the first needs the root threshold of the version before it as well as its own. ' +
      'It may take back what that one revoked only when that is said to be meant.',
    examples: [
      ['Everybody signed here', '$0 trust finish root'],
      ['With copies that came back', '$0 trust finish root from-bob/draft.root.dsse.json'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  copies = Option.Rest({ name: 'COPY' });

  drop = Option.Boolean('--drop-revocations', false, { description: 'it is meant to take revocations back' });

  async run(): Promise<ExitCode> {
    const { file, root, dropped } = finishDraft(this.directory, this.copies, this.drop);
    const { version, digest: fingerprint } = root;
    this.result(
      { version, file, fingerprint, ...(dropped === undefined ? {} : { dropped }) },
      [`trust root ${version}  ${escapeForTerminal(file)}`, `fingerprint   ${fingerprint}`].join('\n'),
    );
    if (dropped !== undefined) this.note(`Careful: ${sayTakenBack(dropped, version)}.`);
    if (version === 1)
      this.note('Give the fingerprint to the enclave by another way than the file; it is pinned with it.');
    return EXIT.done;
  }
}
