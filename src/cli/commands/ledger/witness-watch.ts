import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { Witness } from '../../../ledger/witness-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';

export class LedgerWitnessWatch extends DaemonCommand {
  static override paths = [['ledger', 'witness', 'watch']];
  static override usage = Command.Usage({
    description: 'Begin to watch a log: pins its name, hash and key by the fingerprint of its genesis.',
    details:
      'The fingerprint must come another way than the file: by telephone, on paper. On the side of the log, ledger ' +
      'witness request and ledger verify print it.',
    examples: [
      ['As told by telephone', '$0 ledger witness watch genesis.json --state witness --fingerprint sha256:4f0c…'],
    ],
  });

  genesis = Option.String({ name: 'GENESIS' });
  state = Option.String('--state', { required: true, description: "the witness' directory `DIR`" });
  fingerprint = Option.String('--fingerprint', { required: true, description: 'the genesis is `DIGEST`' });

  async run(): Promise<ExitCode> {
    const bytes = readInputFile(this.genesis);
    using witness = Witness.open(this.state);
    const { origin, hash, key, digest } = witness.watch(bytes, this.fingerprint);
    this.result(
      { origin, hash, keyid: key.keyid, fingerprint: digest },
      `watching ${escapeForTerminal(origin)} (${hash}), key ${key.keyid}`,
    );
    return EXIT.done;
  }
}
