import { Command, Option } from 'clipanion';
import { holdAgentOff } from '../../../agent/lock-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { dataLayout, INSTALL_LOG } from '../../../install/layout.ts';
import { rotateHostLog } from '../../../install/log-rotation-io.ts';
import { type Rotated, rotateLedger } from '../../../ledger/rotate-io.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { ownLog } from '../../log-argument-io.ts';

export class LedgerRotate extends DaemonCommand {
  static override paths = [['ledger', 'rotate']];
  static override usage = Command.Usage({
    description: 'Change the key of a log: an entry that the old key and the new both sign.',
    details:
      "Of a log of this host's, the new key is made here and the old private key destroyed; the agent must not be running " +
      "when it is its log or procmond's. Of any other log, --key and --new-key say which keys: keep the new one safe. " +
      'What the old key signed last goes into the entry, so the new key can not rewrite it. Who knows any key of the log ' +
      'can still verify it. Given again after a crash, it finishes what was begun.',
    examples: [
      ["This host's install log", '$0 ledger rotate /var/lib/daemoneye/logs/install'],
      ['A log of its own', '$0 ledger rotate logs/lab --key lab.key.pem --new-key lab-2.key.pem'],
    ],
  });

  log = Option.String({ name: 'LOG' });
  key = Option.String('--key', { description: "of a log that isn't this host's: it has the private key in `FILE`" });
  newKey = Option.String('--new-key', { description: 'give it the private key in `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const own = ownLog(this.dataDirectory, this.log);
    const { changed, number, epoch } = own === undefined ? await this.#rotate() : await this.#rotateOwn(own);
    const { keyid } = epoch.key;
    this.result(
      { log: this.log, changed, epoch: number, keyid, seq: epoch.start },
      `${escapeForTerminal(this.log)}: key ${keyid} ${changed ? 'since' : 'already since'} entry ${epoch.start}`,
    );
    if (own !== undefined && changed) {
      this.note('Enrolled under its old key it is still believed; to enrol the new one: daemoneye trust enrol request');
    }
    return EXIT.done;
  }

  async #rotate(): Promise<Rotated> {
    if (this.key === undefined || this.newKey === undefined) {
      throw usageError(
        'USAGE_OPTION',
        "the log isn't one of this host's own: give its key (--key) and the new one (--new-key)",
      );
    }
    return await rotateLedger({
      directory: this.log,
      key: await loadPrivateKey(this.key, this.context, this.passphraseFile),
      newKey: await loadPrivateKey(this.newKey, this.context, this.passphraseFile),
      issuedAt: this.now,
      ...systemSurroundings(),
    });
  }

  async #rotateOwn(log: string): Promise<Rotated> {
    if (this.key !== undefined || this.newKey !== undefined || this.passphraseFile !== undefined) {
      throw usageError(
        'USAGE_OPTION',
        'this host makes and keeps the keys of its own logs: leave out --key and --new-key',
      );
    }
    const layout = dataLayout(this.dataDirectory);
    using _held = log === INSTALL_LOG ? undefined : holdAgentOff(this.dataDirectory);
    return await rotateHostLog({ layout, log, issuedAt: this.now, surroundings: systemSurroundings() });
  }
}
