import { Command, Option } from 'clipanion';
import { decodeUtf8, encodeHex } from '../../../core/bytes.ts';
import { openLedgerReader } from '../../../ledger/reader-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { logDirectory } from '../../log-argument-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';

export class LedgerCheckpoint extends DaemonCommand {
  static override paths = [['ledger', 'checkpoint']];
  static override usage = Command.Usage({
    description: 'Print the newest signed checkpoint of a log: carry it out, and nobody can rewrite what it covers.',
    details: 'With --size, an earlier one that was kept: the last of each key that the log had is.',
    examples: [['Onto the stick that goes back', '$0 ledger checkpoint > /media/usb/plant-7.checkpoint']],
  });

  log = Option.String({ name: 'LOG', required: false });
  size = Option.String('--size', { description: 'the one over the first `N` entries, if it was kept' });

  async run(): Promise<ExitCode> {
    const directory = logDirectory(this.dataDirectory, this.log);
    using reader = await openLedgerReader(directory);
    const { checkpoint, note } =
      this.size === undefined ? reader.head : reader.checkpoint(parseWholeNumber(this.size, '--size'));
    const text = decodeUtf8(note);
    const root = `${reader.genesis.hash}:${encodeHex(checkpoint.root)}`;
    if (this.json) this.result({ origin: checkpoint.origin, size: checkpoint.size, root, note: text }, text);
    else await this.context.output.stream(note);
    return EXIT.done;
  }
}
