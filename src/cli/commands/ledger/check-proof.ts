import { Command, Option } from 'clipanion';
import { verifyEntryProof } from '../../../ledger/entry-proof.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';
import { loadPublicKey } from '../../key-files-io.ts';
import { renderReport } from '../../render/report.ts';

export class LedgerCheckProof extends DaemonCommand {
  static override paths = [['ledger', 'check-proof']];
  static override usage = Command.Usage({
    description: 'Check a proof of one entry, without the log. Exit code 0 or 3.',
    details: 'Says that the line, byte for byte, was in the log when its key signed the checkpoint in the proof.',
    examples: [['As handed over', '$0 ledger check-proof entry.tlog-proof --line entry.json --key host-7.log.pub.pem']],
  });

  proof = Option.String({ name: 'PROOF' });
  line = Option.String('--line', { required: true, description: 'the entry is the line in `FILE`' });
  key = Option.String('--key', { required: true, description: 'the log is signed by the public key in `FILE`' });
  origin = Option.String('--origin', { description: 'it must be the log named `ORIGIN`' });
  hash = Option.String('--hash', 'blake3', { description: "`NAME` of the log's hash: blake3 or sha256" });

  async run(): Promise<ExitCode> {
    if (this.hash !== 'blake3' && this.hash !== 'sha256') {
      throw usageError('USAGE_VALUE', `--hash is blake3 or sha256, not "${this.hash}"`);
    }
    const report = verifyEntryProof({
      proof: readInputFile(this.proof),
      line: readInputFile(this.line),
      key: loadPublicKey(this.key),
      hash: this.hash,
      ...(this.origin === undefined ? {} : { origin: this.origin }),
    });
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }
}
