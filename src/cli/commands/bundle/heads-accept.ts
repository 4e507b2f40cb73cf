import { Command, Option } from 'clipanion';
import { acceptHeads } from '../../../install/heads-io.ts';
import { DaemonCommand } from '../../command.ts';
import { readDocumentFile } from '../../document-files-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { openInstallHere } from '../../install-here-io.ts';
import { renderHeads } from '../../render/documents.ts';

export class BundleHeadsAccept extends DaemonCommand {
  static override paths = [['bundle', 'heads', 'accept']];
  static override usage = Command.Usage({
    description: 'Take in a heads statement that answers a receipt of this enclave. Exit code 3 if it does not count.',
    details: 'From then on bundle verify and bundle apply can say "fresh as of", and --require-fresh can be met.',
    examples: [['As it came on the stick', '$0 bundle heads accept /media/usb/heads.json']],
  });

  file = Option.String({ name: 'FILE' });

  async run(): Promise<ExitCode> {
    await using install = await openInstallHere(this.dataDirectory);
    const { verified, entry } = await acceptHeads(install, readDocumentFile(this.file));
    const { document, payload, signers } = verified;
    this.result(
      { fingerprint: payload, document, signers, entry },
      [...renderHeads(document), `accepted, logged as entry ${entry.seq}`].join('\n'),
    );
    return EXIT.done;
  }
}
