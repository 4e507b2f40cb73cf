import { Option } from 'clipanion';
import { encodeEnvelope, parseEnvelope, signEnvelope } from '../core/dsse.ts';
import { dataLayout } from '../install/layout.ts';
import { mendLogKey } from '../install/log-rotation-io.ts';
import { approvedOrder } from '../install/order-approval.ts';
import type { Releases } from '../ledger/holds-io.ts';
import { encodeOrder, type LogOrder, type OrderKind, RELEASE_ORDER } from '../ledger/orders.ts';
import { openLedgerReader } from '../ledger/reader-io.ts';
import { systemSurroundings } from '../ledger/surroundings-io.ts';
import { DaemonCommand } from './command.ts';
import { evidenceTrust } from './commands/evidence/trust-argument.ts';
import { loadConfiguration } from './configuration-io.ts';
import { usageError } from './errors.ts';
import type { ExitCode } from './exit-codes.ts';
import { createFilesDurably, readInputFile } from './files-io.ts';
import { loadPrivateKey } from './key-files-io.ts';
import { ownLog } from './log-argument-io.ts';

/** What every command has in common that changes a log as an approver ordered: one writes the order, one carries it out. */
export abstract class OrderCommand extends DaemonCommand {
  log = Option.String({ name: 'LOG' });
  key = Option.String('--key', {
    required: true,
    description: "sign with the key in `FILE`: the approver's, or the log's",
  });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });
  reason = Option.String('--reason', { description: 'why, in the order: `TEXT`' });
  out = Option.String('--out', { description: 'write the order to the new `FILE`' });
  order = Option.String('--order', { description: 'carry out the order in `FILE`' });
  trust = Option.String('--trust', { description: 'judge the approver by the trust root in `ROOT`' });
  enrolments = Option.Array('--enrolment', [], { description: 'know the enrolment in `FILE`, too' });

  /** The options that say what is ordered; all of them are needed with --out, none with --order. */
  protected abstract readonly ordering: Readonly<Record<string, string | undefined>>;
  protected abstract writeOrder(reason: string, out: string): Promise<ExitCode>;
  protected abstract carryOut(order: string): Promise<ExitCode>;

  async run(): Promise<ExitCode> {
    const { order, reason, out } = this;
    const given = Object.values({ ...this.ordering, reason, out });
    if (order !== undefined && given.every((value) => value === undefined)) {
      await this.#mend();
      return await this.carryOut(order);
    }
    if (order === undefined && reason !== undefined && out !== undefined && !given.includes(undefined)) {
      return await this.writeOrder(reason, out);
    }
    const needed = [...Object.keys(this.ordering), '--reason'].join(', ');
    throw usageError('USAGE_OPTION', `give either --order, or ${needed} and --out`);
  }

  /** The key that --key names can be one whose change a crash interrupted. */
  async #mend(): Promise<void> {
    const own = ownLog(this.dataDirectory, this.log);
    if (own !== undefined) await mendLogKey(dataLayout(this.dataDirectory), own, systemSurroundings());
  }

  /** Signs an order about the log and writes it to its file. */
  protected async sign<T extends LogOrder>(
    kind: OrderKind<T>,
    out: string,
    order: (
      reader: Awaited<ReturnType<typeof openLedgerReader>>,
    ) => Promise<Omit<T, 'v' | 'genesis' | 'origin' | 'issuedAt'>>,
  ): Promise<T> {
    using reader = await openLedgerReader(this.log);
    const { origin, digest: genesis } = reader.genesis;
    const whole = { v: 1, genesis, origin, issuedAt: this.now, ...(await order(reader)) } as T;
    const key = await loadPrivateKey(this.key, this.context, this.passphraseFile);
    createFilesDurably([
      { path: out, bytes: encodeEnvelope(signEnvelope(encodeOrder(kind, whole), key)), mode: 0o644 },
    ]);
    return whole;
  }

  /**
   * The order in a file, by an operator who may; and who may have ended a legal hold, by the same trust.
   * @param needed how many operators must stand behind it
   */
  protected async approved<T extends LogOrder>(kind: OrderKind<T>, path: string, needed = 1) {
    const { trust: root, enrolments, now } = this;
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor: undefined, now });
    const approval = approvedOrder(kind, parseEnvelope(readInputFile(path), kind.payloadType), trust, needed);
    const releases: Releases = (document) => approvedOrder(RELEASE_ORDER, document, trust);
    return { approval, releases };
  }

  /** How many must order that something is destroyed, by the settings that hold here. */
  protected async approvalsToDestroy(): Promise<number> {
    const { settings } = await loadConfiguration(this.dataDirectory, this.context.env);
    return settings['approvals.prune'];
  }
}
