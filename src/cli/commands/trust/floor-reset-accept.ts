import { Command, Option } from 'clipanion';
import { resetFloor } from '../../../install/floor-reset-io.ts';
import { DaemonCommand } from '../../command.ts';
import { readDocumentFile } from '../../document-files-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { openInstallHere } from '../../install-here-io.ts';
import { renderFloorReset } from '../../render/documents.ts';

export class TrustFloorResetAccept extends DaemonCommand {
  static override paths = [['trust', 'floor-reset', 'accept']];
  static override usage = Command.Usage({
    description:
      'Correct the time floor of this enclave, as holders of the role root say. Exit code 3 if it does not count.',
    examples: [['As it came on the stick', '$0 trust floor-reset accept /media/usb/reset.json']],
  });

  file = Option.String({ name: 'FILE' });

  async run(): Promise<ExitCode> {
    await using install = await openInstallHere(this.dataDirectory);
    const { verified, entry } = await resetFloor(install, readDocumentFile(this.file));
    const { document, payload, signers } = verified;
    const { floor } = install.state;
    this.result(
      { fingerprint: payload, document, signers, floor, entry },
      [...renderFloorReset(document), `the floor is ${floor} now, logged as entry ${entry.seq}`].join('\n'),
    );
    return EXIT.done;
  }
}
