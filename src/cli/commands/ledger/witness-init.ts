import { join } from 'node:path';
import { Command, Option } from 'clipanion';
import { witnessVerifierKey } from '../../../core/cosignature.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { createWitness, WITNESS_PUBLIC_KEY_FILE } from '../../../ledger/witness-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class LedgerWitnessInit extends DaemonCommand {
  static override paths = [['ledger', 'witness', 'init']];
  static override usage = Command.Usage({
    description: 'Make a witness: a directory with a key of its own, on another machine than the logs it will watch.',
    examples: [['On the connected side', '$0 ledger witness init --state witness --name witness.example.org']],
  });

  state = Option.String('--state', { required: true, description: 'make the new directory `DIR`' });
  name = Option.String('--name', { required: true, description: 'it signs as `NAME`: no spaces, no plus' });

  async run(): Promise<ExitCode> {
    const key = createWitness(this.state, this.name);
    const publicKey = join(this.state, WITNESS_PUBLIC_KEY_FILE);
    const vkey = witnessVerifierKey(this.name, key);
    this.result(
      { directory: this.state, name: this.name, keyid: key.keyid, publicKey, vkey },
      [
        `witness  ${escapeForTerminal(this.name)}`,
        `key      ${key.keyid}`,
        `vkey     ${escapeForTerminal(vkey)}`,
        `file     ${escapeForTerminal(publicKey)}`,
      ].join('\n'),
    );
    this.note('Give the public key to those whose logs it watches; then: daemoneye ledger witness watch');
    return EXIT.done;
  }
}
