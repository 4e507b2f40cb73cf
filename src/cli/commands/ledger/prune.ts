import { existsSync } from 'node:fs';
import { Command, Option } from 'clipanion';
import { formatDigest } from '../../../core/digest.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { PRUNE_ORDER } from '../../../ledger/orders.ts';
import { type DropSealed, pruneLedger } from '../../../ledger/prune-io.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { pruneSealed } from '../../../seal/prune-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { refuseInstallLog, sealedDirectory } from '../../log-argument-io.ts';
import { OrderCommand } from '../../order-command.ts';
import { parseWholeNumber } from '../../whole-number.ts';

const DAY_MS = 86_400_000;

export class LedgerPrune extends OrderCommand {
  static override paths = [['ledger', 'prune']];
  static override usage = Command.Usage({
    description:
      'Drop the oldest lines of a log as an approver ordered. Every proof of what remains still works; sealed values go with their lines.',
    details:
      'First somebody enrolled as approver or admin writes the order with --before, --reason and --out; then it is carried ' +
      'out with --order. A legal hold (ledger hold, or any file in holds/ of the log) wins over every order. The log must not be open.',
    examples: [
      ['Order it', '$0 ledger prune logs/lab --before 65536 --reason "a year" --key ada.key.pem --out lab.prune'],
      ['Carry it out', '$0 ledger prune logs/lab --order lab.prune --key lab.key.pem'],
    ],
  });

  before = Option.String('--before', { description: 'order that lines before `SEQ` go' });
  minimumAge = Option.String('--minimum-age', '365', { description: 'keep what is younger than `DAYS`; default 365' });

  sealed = Option.String('--sealed', {
    description: "the log's sealed values lie in `DIR`; default sealed/ beside logs/, if there",
  });

  protected get ordering() {
    return { '--before': this.before };
  }

  override async run(): Promise<ExitCode> {
    refuseInstallLog(this.dataDirectory, this.log);
    return await super.run();
  }

  protected async writeOrder(reason: string, out: string): Promise<ExitCode> {
    const to = parseWholeNumber(this.before ?? '', '--before');
    const { origin, root } = await this.sign(PRUNE_ORDER, out, async (reader) => {
      return { to, root: formatDigest(reader.genesis.hash, await reader.rootAt(to)), reason };
    });
    const text = `${escapeForTerminal(out)}: the first ${count(to, 'line')} of ${escapeForTerminal(origin)} may go`;
    this.result({ log: this.log, order: out, to, root }, text);
    return EXIT.done;
  }

  protected async carryOut(path: string): Promise<ExitCode> {
    const { approval, releases } = await this.approved(PRUNE_ORDER, path, await this.approvalsToDestroy());
    const { first, dropped } = await pruneLedger({
      directory: this.log,
      key: await loadPrivateKey(this.key, this.context, this.passphraseFile),
      approval,
      releases,
      ...this.#dropSealed(),
      minimumAge: parseWholeNumber(this.minimumAge, '--minimum-age') * DAY_MS,
      ...systemSurroundings(),
    });
    const { operators } = approval;
    const who = operators.map(escapeForTerminal).join(', ');
    this.result(
      { log: this.log, dropped, first, operators },
      `${escapeForTerminal(this.log)}: ${count(dropped, 'line')} dropped, as ${who} ordered; it begins with ${first}`,
    );
    return EXIT.done;
  }

  #dropSealed() {
    const directory = sealedDirectory(this.log, this.sealed);
    if (this.sealed === undefined && !existsSync(directory)) return {};
    const dropSealed: DropSealed = (before, dropped) => pruneSealed(directory, before, dropped);
    return { dropSealed };
  }
}
