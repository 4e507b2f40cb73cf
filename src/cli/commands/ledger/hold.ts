import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { holdLines } from '../../../ledger/holds-io.ts';
import { HOLD_ORDER } from '../../../ledger/orders.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { OrderCommand } from '../../order-command.ts';
import { parseWholeNumber } from '../../whole-number.ts';

const RANGE = /^([0-9]+)\.\.([0-9]+)?$/;

export class LedgerHold extends OrderCommand {
  static override paths = [['ledger', 'hold']];
  static override usage = Command.Usage({
    description: 'Put lines of a log under a legal hold: neither they nor what is sealed of them may be destroyed.',
    details:
      'First somebody enrolled as approver or admin writes the order with --range, --reason and --out; then it is carried ' +
      'out with --order, by an entry of the log, which must not be open. It holds until ledger release. At once, and ' +
      'without anybody: put a file into holds/ of the log.',
    examples: [
      ['From entry 100 on', '$0 ledger hold logs/lab --range 100.. --reason "case 7" --key ada.key.pem --out 7.hold'],
      ['Carry it out', '$0 ledger hold logs/lab --order 7.hold --key lab.key.pem'],
    ],
  });

  range = Option.String('--range', { description: 'order it for `A..B`, up to before B; A.. for all from A on' });

  protected get ordering() {
    return { '--range': this.range };
  }

  protected async writeOrder(reason: string, out: string): Promise<ExitCode> {
    const [, a, b] = RANGE.exec(this.range ?? '') ?? [];
    if (a === undefined) throw usageError('USAGE_VALUE', '--range takes A..B or A.., such as 0..500');
    const from = parseWholeNumber(a, 'A');
    const lines = { from, ...(b === undefined ? {} : { to: parseWholeNumber(b, 'B') }) };
    await this.sign(HOLD_ORDER, out, async () => ({ ...lines, reason }));
    this.result(
      { log: this.log, order: out, ...lines },
      `${escapeForTerminal(out)}: entries from ${from} are to be held`,
    );
    return EXIT.done;
  }

  protected async carryOut(path: string): Promise<ExitCode> {
    const { approval } = await this.approved(HOLD_ORDER, path);
    const key = await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const entry = await holdLines({ directory: this.log, key, approval, ...systemSurroundings() });
    const { operator, order } = approval;
    const lines = { from: order.from, ...(order.to === undefined ? {} : { to: order.to }) };
    this.result(
      { log: this.log, entry, ...lines, operator },
      `${escapeForTerminal(this.log)}: entries from ${order.from} are held by entry ${entry}, as ${escapeForTerminal(operator)} ordered`,
    );
    return EXIT.done;
  }
}
