import { Command, Option } from 'clipanion';
import { encodeHex } from '../../../core/bytes.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { currentEpoch } from '../../../ledger/epochs.ts';
import { openLedgerReader } from '../../../ledger/reader-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { logDirectory } from '../../log-argument-io.ts';

export class LedgerStatus extends DaemonCommand {
  static override paths = [['ledger', 'status']];
  static override usage = Command.Usage({
    description: "Tell the size, head and key of a log; without LOG, of this host's install log.",
    details: 'Reads the signed head only. Whether the lines are what was signed, ledger verify says.',
    examples: [['The install log', '$0 ledger status']],
  });

  log = Option.String({ name: 'LOG', required: false });

  async run(): Promise<ExitCode> {
    const directory = logDirectory(this.dataDirectory, this.log);
    using reader = await openLedgerReader(directory);
    const { genesis, size, epochs } = reader;
    const root = `${genesis.hash}:${encodeHex(reader.head.checkpoint.root)}`;
    const { origin, hash, host, createdAt } = genesis;
    const { key, start } = currentEpoch(epochs);
    const epoch = epochs.length - 1;
    const since = epoch === 0 ? '' : `  epoch ${epoch}, since entry ${start}`;
    this.result(
      { directory, origin, host, hash, size, root, createdAt, keyid: key.keyid, epoch },
      [
        `log      ${escapeForTerminal(directory)}`,
        `origin   ${escapeForTerminal(origin)}`,
        `entries  ${size}`,
        `root     ${root}`,
        `key      ${key.keyid}${since}`,
        `since    ${createdAt}`,
      ].join('\n'),
    );
    return EXIT.done;
  }
}
