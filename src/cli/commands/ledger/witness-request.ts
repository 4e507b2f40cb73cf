import { Command, Option } from 'clipanion';
import { encodeHex } from '../../../core/bytes.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { makeRequest } from '../../../ledger/cosigned-io.ts';
import { readGenesis } from '../../../ledger/open-io.ts';
import { CarryingCommand } from '../../carrying-command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { logDirectory } from '../../log-argument-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';

export class LedgerWitnessRequest extends CarryingCommand {
  static override paths = [['ledger', 'witness', 'request']];
  static override usage = Command.Usage({
    description:
      'Ask a witness to cosign the newest checkpoint of a log: the checkpoint, and a proof since the last one.',
    details:
      'In the form of a C2SP add-checkpoint request. Without --since it goes by the newest cosignature that was ' +
      'accepted here. A QR code holds a request of up to some 19 hashes, which is a log of a few hundred thousand ' +
      'entries; a longer one takes several codes.',
    examples: [
      ['Onto a stick', '$0 ledger witness request --out /media/usb/plant-7.request'],
      ['On the screen, to be photographed', '$0 ledger witness request logs/agent --qr'],
    ],
  });

  log = Option.String({ name: 'LOG', required: false });
  since = Option.String('--since', { description: 'the witness saw `N` entries last; 0 at first contact' });
  witness = Option.String('--witness', { description: 'go by the cosignatures of the witness `NAME`' });

  async run(): Promise<ExitCode> {
    this.assertWays();
    const directory = logDirectory(this.dataDirectory, this.log);
    const wanted = this.since === undefined ? undefined : parseWholeNumber(this.since, '--since');
    const { bytes, since, checkpoint, hashes } = await makeRequest(directory, wanted, this.witness);
    const { hash, digest } = readGenesis(directory);
    const { files, written, text } = await this.carry(bytes);
    const { origin, size } = checkpoint;
    const root = `${hash}:${encodeHex(checkpoint.root)}`;
    this.result(
      { origin, fingerprint: digest, since, size, root, hashes, bytes: bytes.length, files },
      [
        `${size} entries of ${escapeForTerminal(origin)}, since ${since}: ${hashes} hashes, ${bytes.length} bytes`,
        `genesis ${digest}`,
        text,
      ].join('\n'),
    );
    this.noteWritten(written);
    return EXIT.done;
  }
}
