import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { LedgerError } from '../../../ledger/errors.ts';
import { parseLine } from '../../../ledger/line.ts';
import { REDACTION_ORDER } from '../../../ledger/orders.ts';
import { redactSealed } from '../../../ledger/redact-io.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { SECRET_KINDS } from '../../../seal/format.ts';
import { destroySealed, hasSealed } from '../../../seal/redact-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { sealedDirectory } from '../../log-argument-io.ts';
import { OrderCommand } from '../../order-command.ts';
import { parseWholeNumber } from '../../whole-number.ts';

export class LedgerRedact extends OrderCommand {
  static override paths = [['ledger', 'redact']];
  static override usage = Command.Usage({
    description: 'Destroy the sealed value of one line, as an approver ordered. The line and every proof stay.',
    details:
      'First somebody enrolled as approver or admin writes the order with --seq, --field, --reason and --out; then it is ' +
      'carried out with --order, and once more after a crash. An entry with the order comes before anything is destroyed. ' +
      'Copies elsewhere, backups and what a disk keeps of overwritten blocks are beyond reach. A legal hold wins.',
    examples: [
      [
        'Order it',
        '$0 ledger redact logs/procmond --seq 17 --field argv --reason "GDPR 17" --key ada.key.pem --out 17.order',
      ],
      ['Carry it out', '$0 ledger redact logs/procmond --order 17.order --key keys/logs/procmond.key.pem'],
    ],
  });

  seq = Option.String('--seq', { description: 'order it for entry `SEQ`' });
  field = Option.String('--field', { description: 'order it for `FIELD`: argv or env' });
  sealed = Option.String('--sealed', { description: 'the sealed values lie in `DIR`; default sealed/ beside logs/' });

  protected get ordering() {
    return { '--seq': this.seq, '--field': this.field };
  }

  protected async writeOrder(reason: string, out: string): Promise<ExitCode> {
    const seq = parseWholeNumber(this.seq ?? '', '--seq');
    const field = SECRET_KINDS.find((kind) => kind === this.field);
    if (field === undefined) throw usageError('USAGE_VALUE', '--field takes argv or env');
    const { commit } = await this.sign(REDACTION_ORDER, out, async (reader) => {
      const commit = parseLine(await reader.line(seq)).data[`${field}_commit`];
      if (typeof commit === 'string') return { seq, field, commit: commit as `sha256:${string}`, reason };
      const message = `line ${seq} has no ${field}_commit: there is nothing to redact`;
      throw new LedgerError('REDACTION_REFUSED', message, { fault: 'refused' });
    });
    const text = `${escapeForTerminal(out)}: ${field} of entry ${seq} may be redacted`;
    this.result({ log: this.log, order: out, seq, field, commit }, text);
    return EXIT.done;
  }

  protected async carryOut(path: string): Promise<ExitCode> {
    const { approval, releases } = await this.approved(REDACTION_ORDER, path, await this.approvalsToDestroy());
    const sealed = sealedDirectory(this.log, this.sealed);
    const { entry, changed } = await redactSealed({
      directory: this.log,
      key: await loadPrivateKey(this.key, this.context, this.passphraseFile),
      approval,
      releases,
      store: { has: (commit) => hasSealed(sealed, commit), destroy: (commit) => destroySealed(sealed, commit) },
      ...systemSurroundings(),
    });
    const { operators, order } = approval;
    const who = operators.map(escapeForTerminal).join(', ');
    const { seq, field } = order;
    this.result(
      { log: this.log, seq, field, entry, changed, operators },
      `${escapeForTerminal(this.log)}: ${field} of entry ${seq} is redacted, as ${who} ordered; entry ${entry} says so`,
    );
    return EXIT.done;
  }
}
