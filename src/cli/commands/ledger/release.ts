import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { releaseHold } from '../../../ledger/holds-io.ts';
import { RELEASE_ORDER } from '../../../ledger/orders.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { OrderCommand } from '../../order-command.ts';
import { parseWholeNumber } from '../../whole-number.ts';

export class LedgerRelease extends OrderCommand {
  static override paths = [['ledger', 'release']];
  static override usage = Command.Usage({
    description: 'End a legal hold on a log.',
    details:
      'First somebody enrolled as approver or admin writes the order with --hold, --reason and --out; then it is carried ' +
      'out with --order. It counts only as long as whoever signed it is trusted: ledger prune and redact judge it again.',
    examples: [
      ['Order it', '$0 ledger release logs/lab --hold 812 --reason "case 7 closed" --key ada.key.pem --out 7.release'],
      ['Carry it out', '$0 ledger release logs/lab --order 7.release --key lab.key.pem'],
    ],
  });

  hold = Option.String('--hold', { description: 'order it for the hold that entry `SEQ` put' });

  protected get ordering() {
    return { '--hold': this.hold };
  }

  protected async writeOrder(reason: string, out: string): Promise<ExitCode> {
    const hold = parseWholeNumber(this.hold ?? '', '--hold');
    await this.sign(RELEASE_ORDER, out, async () => ({ hold, reason }));
    this.result({ log: this.log, order: out, hold }, `${escapeForTerminal(out)}: the hold of entry ${hold} is to end`);
    return EXIT.done;
  }

  protected async carryOut(path: string): Promise<ExitCode> {
    const { approval, releases } = await this.approved(RELEASE_ORDER, path);
    const key = await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const entry = await releaseHold({ directory: this.log, key, approval, releases, ...systemSurroundings() });
    const { operator, order } = approval;
    this.result(
      { log: this.log, entry, hold: order.hold, operator },
      `${escapeForTerminal(this.log)}: the hold of entry ${order.hold} ended by entry ${entry}, as ${escapeForTerminal(operator)} ordered`,
    );
    return EXIT.done;
  }
}
