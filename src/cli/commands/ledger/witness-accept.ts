import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { acceptCosigned } from '../../../ledger/cosigned-io.ts';
import { readCarriedFiles } from '../../carrying-command.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { logDirectory } from '../../log-argument-io.ts';
import { admittedWitnesses, raiseFloorByLog } from '../../witness-keys-io.ts';

export class LedgerWitnessAccept extends DaemonCommand {
  static override paths = [['ledger', 'witness', 'accept']];
  static override usage = Command.Usage({
    description: 'Take in a checkpoint that a witness cosigned, after checking that it is of this log as it stands.',
    details:
      'COSIGNED is the file, or PNG images of its QR codes, or their text. Which witnesses count, the role witness of ' +
      'the pinned trust root says; where nobody holds it, --witness-key.',
    examples: [['From a stick', '$0 ledger witness accept plant-7.cosigned --witness-key witness.pub.pem']],
  });

  cosigned = Option.Rest({ name: 'COSIGNED', required: 1 });
  log = Option.String('--log', { description: "the log in `DIR`; default: this host's install log" });
  witnessKeys = Option.Array('--witness-key', [], { description: 'the witness signs by the public key in `FILE`' });
  acceptAhead = Option.Boolean('--accept-ahead', false, {
    description: 'also when the time of the witness is over a day ahead of the clock here',
  });

  async run(): Promise<ExitCode> {
    const directory = logDirectory(this.dataDirectory, this.log);
    const note = await readCarriedFiles(this.cosigned);
    const { keys } = await admittedWitnesses(this.dataDirectory, this.witnessKeys);
    const now = this.acceptAhead ? undefined : this.now;
    const { checkpoint, cosignatures } = await acceptCosigned(directory, note, { witnesses: keys, now });
    const floor = await raiseFloorByLog(this.dataDirectory, directory);
    const { origin, size } = checkpoint;
    const witnesses = cosignatures.map(({ name, key, time }) => ({ name, keyid: key.keyid, time }));
    const lines = witnesses.map(({ name, keyid, time }) => `  ${escapeForTerminal(name)}, key ${keyid}, at ${time}`);
    this.result(
      { origin, size, witnesses, ...(floor === undefined ? {} : { floor }) },
      [
        `${size} entries of ${escapeForTerminal(origin)} are known to`,
        ...lines,
        ...(floor === undefined ? [] : [`the time floor is ${floor} now`]),
      ].join('\n'),
    );
    return EXIT.done;
  }
}
