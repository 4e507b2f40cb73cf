import { Command, Option } from 'clipanion';
import { witnessVerifierKey } from '../../../core/cosignature.ts';
import { formatDigest } from '../../../core/digest.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { currentEpoch } from '../../../ledger/epochs.ts';
import { Witness } from '../../../ledger/witness-io.ts';
import type { WatchedLog } from '../../../ledger/witness-judgement.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';

export class LedgerWitnessShow extends DaemonCommand {
  static override paths = [['ledger', 'witness', 'show']];
  static override usage = Command.Usage({
    description: 'Tell the key of a witness, the logs it watches and what it saw of each.',
    examples: [['How many entries the plant had', '$0 ledger witness show --state witness']],
  });

  state = Option.String('--state', { required: true, description: "the witness' directory `DIR`" });

  async run(): Promise<ExitCode> {
    using witness = Witness.open(this.state);
    const logs = witness.logs().map(viewLog);
    const vkey = witnessVerifierKey(witness.name, witness.key);
    const lines = logs.map(({ origin, fingerprint, seen }) => {
      const what = seen === null ? 'nothing seen yet' : `${seen.size} entries at ${seen.time}, root ${seen.root}`;
      return `\n${escapeForTerminal(origin)}\n  genesis ${fingerprint}\n  ${what}`;
    });
    this.result(
      { name: witness.name, keyid: witness.key.keyid, vkey, logs },
      [`witness  ${escapeForTerminal(witness.name)}`, `key      ${witness.key.keyid}`, ...lines].join('\n'),
    );
    return EXIT.done;
  }
}

function viewLog({ genesis, epochs, seen }: WatchedLog) {
  const { origin, hash, digest } = genesis;
  const { key } = currentEpoch(epochs);
  const last =
    seen === undefined
      ? null
      : { size: seen.checkpoint.size, root: formatDigest(hash, seen.checkpoint.root), time: seen.cosignature.time };
  return { origin, hash, keyid: key.keyid, fingerprint: digest, seen: last };
}
