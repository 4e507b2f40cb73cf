import { Command, Option } from 'clipanion';
import { verifyEntryProof } from '../../../ledger/entry-proof.ts';
import { MAX_RANGE_PROOF_BYTES, MAX_SHOWN_BYTES } from '../../../ledger/format.ts';
import { createHashFunction } from '../../../ledger/hashing.ts';
import { isLogProof } from '../../../ledger/log-proof.ts';
import { verifyLogProof } from '../../../ledger/log-proof-check.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readInputFile } from '../../files-io.ts';
import { loadPublicKey } from '../../key-files-io.ts';
import { renderReport } from '../../render/report.ts';

export class LedgerCheckProof extends DaemonCommand {
  static override paths = [['ledger', 'check-proof']];
  static override usage = Command.Usage({
    description: 'Check a proof of an entry or of a range, without the log. Exit code 0 or 3.',
    details:
      'Says that the line, byte for byte, was in the log when its key signed the checkpoint in the proof; of a range ' +
      'also how many lines are withheld and where and, where a trace is claimed, that all of it is shown.',
    examples: [['As handed over', '$0 ledger check-proof entry.tlog-proof --line entry.json --key host-7.log.pub.pem']],
  });

  proof = Option.String({ name: 'PROOF' });
  line = Option.String('--line', { required: true, description: 'the entry, or the shown lines, are in `FILE`' });
  key = Option.String('--key', { required: true, description: 'the log is signed by the public key in `FILE`' });
  signers = Option.Array('--signer', [], { description: 'lines of a range may also be signed by the key in `FILE`' });
  origin = Option.String('--origin', { description: 'it must be the log named `ORIGIN`' });
  hash = Option.String('--hash', { description: "`NAME` of an entry's hash: blake3 or sha256; default blake3" });

  async run(): Promise<ExitCode> {
    const { hash = 'blake3' } = this;
    if (hash !== 'blake3' && hash !== 'sha256') {
      throw usageError('USAGE_VALUE', `--hash is blake3 or sha256, not "${hash}"`);
    }
    const proof = readInputFile(this.proof, { maxBytes: MAX_RANGE_PROOF_BYTES });
    const known = {
      proof,
      key: loadPublicKey(this.key),
      ...(this.origin === undefined ? {} : { origin: this.origin }),
    };
    const report = isLogProof(proof)
      ? verifyLogProof({
          ...known,
          lines: readInputFile(this.line, { maxBytes: MAX_SHOWN_BYTES }),
          signers: this.signers.map((path) => loadPublicKey(path)),
          blake3: await createHashFunction('blake3'),
        })
      : verifyEntryProof({ ...known, line: readInputFile(this.line), hash });
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }
}
