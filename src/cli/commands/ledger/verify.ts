import { Command, Option } from 'clipanion';
import type { PublicKey } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { InstallError } from '../../../install/errors.ts';
import { approvedOrder } from '../../../install/order-approval.ts';
import { readCosignedNotes } from '../../../ledger/cosigned-io.ts';
import { type Epochs, firstEpoch, isKeyOfLog } from '../../../ledger/epochs.ts';
import { readEpochs } from '../../../ledger/epochs-io.ts';
import type { Genesis } from '../../../ledger/genesis.ts';
import { readGenesis } from '../../../ledger/open-io.ts';
import { PRUNE_ORDER } from '../../../ledger/orders.ts';
import type { Prunes } from '../../../ledger/prune-audit.ts';
import { verifyLedger } from '../../../ledger/verify-io.ts';
import { readCarriedFiles } from '../../carrying-command.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { judging } from '../../judging.ts';
import { logAuthority, logDirectory } from '../../log-argument-io.ts';
import { renderReport } from '../../render/report.ts';
import { admittedWitnesses, type CosignedAnchors, cosignedAnchors } from '../../witness-keys-io.ts';
import { evidenceTrust } from '../evidence/trust-argument.ts';

export class LedgerVerify extends DaemonCommand {
  static override paths = [['ledger', 'verify']];
  static override usage = Command.Usage({
    description: "Check a log from its first line; without LOG, this host's install log. Exit code 0 or 3.",
    details:
      'The key must come from elsewhere than the log: from --key, or, for logs in the data directory, from this host. ' +
      'A change is reported with file, line and what is wrong with it. Checkpoints that witnesses cosigned and that were ' +
      'accepted here, or are given with --cosigned, show what is known elsewhere. A copy made while the log was written ' +
      '(cp -a) is judged with --copy, by the newest checkpoint that it holds whole.',
    examples: [
      ['The install log', '$0 ledger verify'],
      ['A copy from another host', '$0 ledger verify copy/logs/install --key host-7.log.pub.pem'],
      ['By what a witness kept', '$0 ledger verify --witness-key witness.pub.pem --cosigned plant-7.cosigned'],
    ],
  });

  log = Option.String({ name: 'LOG', required: false });
  key = Option.String('--key', { description: 'the log is signed by the public key in `FILE`' });
  copy = Option.Boolean('--copy', false, { description: 'it is a copy that was made while the log was written' });
  trust = Option.String('--trust', { description: 'judge who ordered pruning by the trust root in `ROOT`' });
  enrolments = Option.Array('--enrolment', [], { description: 'with --trust: know the enrolment in `FILE`, too' });
  cosigned = Option.Array('--cosigned', [], { description: 'a witness kept the cosigned checkpoint in `FILE`' });
  witnessKeys = Option.Array('--witness-key', [], { description: 'a witness signs by the public key in `FILE`' });

  async run(): Promise<ExitCode> {
    const directory = logDirectory(this.dataDirectory, this.log);
    const { key, anchors } = await judging(() => logAuthority(this.dataDirectory, directory, this.key));
    const witnessed = await this.#witnessed(directory, key);
    const known = { anchors: [...anchors, ...witnessed.anchors], isCopy: this.copy, ...(await this.#prunes()) };
    const report = await verifyLedger(directory, { ...(key === undefined ? {} : { key }), ...known });
    this.result(report, renderReport(report, this.style));
    for (const { checkpoint, cosignatures, counts } of witnessed.cosigned) {
      const weight = counts ? '' : ' More witnesses must have seen the same before it counts.';
      for (const { name, time } of cosignatures) {
        this.note(`${escapeForTerminal(name)} saw ${checkpoint.size} entries at ${time}.${weight}`);
      }
    }
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }

  async #prunes(): Promise<{ readonly prunes?: Prunes }> {
    const { trust: root, enrolments, now } = this;
    if (root === undefined) return {};
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor: undefined, now });
    return { prunes: (document) => approvedOrder(PRUNE_ORDER, document, trust) };
  }

  async #witnessed(directory: string, key: PublicKey | undefined): Promise<CosignedAnchors> {
    const kept = readCosignedNotes(directory);
    const given = await Promise.all(this.cosigned.map((path) => readCarriedFiles([path])));
    if (kept.length + given.length === 0) return { anchors: [], cosigned: [] };
    const genesis = readGenesis(directory);
    try {
      const admitted = await judging(() => admittedWitnesses(this.dataDirectory, this.witnessKeys));
      return cosignedAnchors({ kept, given }, { genesis, epochs: heldBy(directory, genesis, key) }, admitted);
    } catch (cause) {
      // The trust root is read by way of the install log: when that is damaged, the report on it tells more.
      if (this.log === undefined && cause instanceof InstallError) return { anchors: [], cosigned: [] };
      throw cause;
    }
  }
}

/** By whose heads cosigned ones are judged: those of the key that was given, if it is none of the log's. */
function heldBy(directory: string, genesis: Genesis, key: PublicKey | undefined): Epochs {
  const { epochs } = readEpochs(directory, genesis);
  return key === undefined || isKeyOfLog(epochs, key) ? epochs : firstEpoch({ ...genesis, key });
}
