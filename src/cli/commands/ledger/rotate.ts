import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { rotateLedger } from '../../../ledger/rotate-io.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { DaemonCommand } from '../../command.ts';
import { CliError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { isThisHostsLog } from '../../log-argument-io.ts';

export class LedgerRotate extends DaemonCommand {
  static override paths = [['ledger', 'rotate']];
  static override usage = Command.Usage({
    description:
      "Change the key of a log: an entry that the old key and the new both sign. Keep the new key's file safe.",
    details:
      'The log must not be open. What the old key signed last goes into the entry, so the new key can not rewrite it. Who ' +
      'knows any key of the log can still verify it. Given again after a crash, it finishes what was begun.',
    examples: [['A log of its own', '$0 ledger rotate logs/lab --key lab.key.pem --new-key lab-2.key.pem']],
  });

  log = Option.String({ name: 'LOG' });
  key = Option.String('--key', { required: true, description: 'the log has the private key in `FILE`' });
  newKey = Option.String('--new-key', { required: true, description: 'give it the private key in `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    this.#refuseOwn();
    const { changed, number, epoch } = await rotateLedger({
      directory: this.log,
      key: await loadPrivateKey(this.key, this.context, this.passphraseFile),
      newKey: await loadPrivateKey(this.newKey, this.context, this.passphraseFile),
      issuedAt: this.now,
      ...systemSurroundings(),
    });
    const { keyid } = epoch.key;
    this.result(
      { log: this.log, changed, epoch: number, keyid, seq: epoch.start },
      `${escapeForTerminal(this.log)}: key ${keyid} ${changed ? 'since' : 'already since'} entry ${epoch.start}`,
    );
    return EXIT.done;
  }

  /** They share one key, which also says whose lines count in the install log: one by one they would fall apart. */
  #refuseOwn(): void {
    if (!isThisHostsLog(this.dataDirectory, this.log)) return;
    const where = escapeForTerminal(this.log);
    const message = `${where} is one of this host's own logs, which share one key; only a log of its own can be rotated`;
    throw new CliError('OWN_LOG', message, { fault: 'refused' });
  }
}
