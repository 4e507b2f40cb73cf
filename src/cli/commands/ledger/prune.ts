import { Command, Option } from 'clipanion';
import { formatDigest } from '../../../core/digest.ts';
import { encodeEnvelope, parseEnvelope, signEnvelope } from '../../../core/dsse.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { verifyPruneApproval } from '../../../install/prune-approval.ts';
import { PRUNE_PAYLOAD_TYPE } from '../../../ledger/format.ts';
import { encodePruneOrder } from '../../../ledger/prune.ts';
import { pruneLedger } from '../../../ledger/prune-io.ts';
import { openLedgerReader } from '../../../ledger/reader-io.ts';
import { systemSurroundings } from '../../../ledger/surroundings-io.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { createFilesDurably, readInputFile } from '../../files-io.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { refuseInstallLog } from '../../log-argument-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';
import { evidenceTrust } from '../evidence/trust-argument.ts';

const DAY_MS = 86_400_000;

export class LedgerPrune extends DaemonCommand {
  static override paths = [['ledger', 'prune']];
  static override usage = Command.Usage({
    description: 'Drop the oldest lines of a log as an approver ordered. Every proof of what remains still works.',
    details:
      'First somebody enrolled as approver or admin writes the order with --before, --reason and --out; then it is carried ' +
      'out with --order. A legal hold (any file in holds/ of the log) wins over every order. The log must not be open.',
    examples: [
      ['Order it', '$0 ledger prune logs/lab --before 65536 --reason "a year" --key ada.key.pem --out lab.prune'],
      ['Carry it out', '$0 ledger prune logs/lab --order lab.prune --key lab.key.pem'],
    ],
  });

  log = Option.String({ name: 'LOG' });
  key = Option.String('--key', {
    required: true,
    description: "sign with the key in `FILE`: the approver's, or the log's",
  });
  before = Option.String('--before', { description: 'order that lines before `SEQ` go' });
  reason = Option.String('--reason', { description: 'why, in the order: `TEXT`' });
  out = Option.String('--out', { description: 'write the order to the new `FILE`' });
  order = Option.String('--order', { description: 'carry out the order in `FILE`' });
  minimumAge = Option.String('--minimum-age', '365', { description: 'keep what is younger than `DAYS`; default 365' });
  trust = Option.String('--trust', { description: 'judge the approver by the trust root in `ROOT`' });
  enrolments = Option.Array('--enrolment', [], { description: 'know the enrolment in `FILE`, too' });

  async run(): Promise<ExitCode> {
    refuseInstallLog(this.dataDirectory, this.log);
    const { before, reason, out, order } = this;
    if (order !== undefined && before === undefined && out === undefined) return await this.#carryOut(order);
    if (order === undefined && before !== undefined && reason !== undefined && out !== undefined) {
      return await this.#write(parseWholeNumber(before, '--before'), reason, out);
    }
    throw usageError('USAGE_OPTION', 'give either --order, or --before, --reason and --out');
  }

  async #write(to: number, reason: string, out: string): Promise<ExitCode> {
    using reader = await openLedgerReader(this.log);
    const { origin, digest: genesis, hash } = reader.genesis;
    const root = formatDigest(hash, await reader.rootAt(to));
    const envelope = encodePruneOrder({ v: 1, genesis, origin, to, root, reason, issuedAt: this.now });
    const key = await loadPrivateKey(this.key, this.context, undefined);
    createFilesDurably([{ path: out, bytes: encodeEnvelope(signEnvelope(envelope, key)), mode: 0o644 }]);
    const text = `${escapeForTerminal(out)}: the first ${count(to, 'line')} of ${escapeForTerminal(origin)} may go`;
    this.result({ log: this.log, order: out, to, root }, text);
    return EXIT.done;
  }

  async #carryOut(path: string): Promise<ExitCode> {
    const { trust: root, enrolments, now } = this;
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor: undefined, now });
    const approval = verifyPruneApproval(parseEnvelope(readInputFile(path), PRUNE_PAYLOAD_TYPE), trust);
    const { first, dropped } = await pruneLedger({
      directory: this.log,
      key: await loadPrivateKey(this.key, this.context, undefined),
      approval,
      minimumAge: parseWholeNumber(this.minimumAge, '--minimum-age') * DAY_MS,
      ...systemSurroundings(),
    });
    const { operator } = approval;
    this.result(
      { log: this.log, dropped, first, operator },
      `${escapeForTerminal(this.log)}: ${count(dropped, 'line')} dropped, as ${escapeForTerminal(operator)} ordered; it begins with ${first}`,
    );
    return EXIT.done;
  }
}
