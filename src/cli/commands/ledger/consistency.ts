import { Command, Option } from 'clipanion';
import { encodeBase64 } from '../../../core/bytes.ts';
import { openLedgerReader } from '../../../ledger/reader-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { logDirectory } from '../../log-argument-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';

export class LedgerConsistency extends DaemonCommand {
  static override paths = [['ledger', 'consistency']];
  static override usage = Command.Usage({
    description: 'Prove that the first A entries of a log are the beginning of its first B.',
    details: 'Prints the hashes of RFC 6962 section 2.1.2, one base64 line each.',
    examples: [['Since a checkpoint of 100 entries', '$0 ledger consistency 100 250']],
  });

  a = Option.String({ name: 'A' });
  b = Option.String({ name: 'B' });
  log = Option.String({ name: 'LOG', required: false });

  async run(): Promise<ExitCode> {
    const directory = logDirectory(this.dataDirectory, this.log);
    using reader = await openLedgerReader(directory);
    const [size1, size2] = [parseWholeNumber(this.a, 'A'), parseWholeNumber(this.b, 'B')];
    const proof = (await reader.proveConsistency(size1, size2)).map(encodeBase64);
    this.result({ origin: reader.genesis.origin, size1, size2, proof }, proof.join('\n'));
    return EXIT.done;
  }
}
