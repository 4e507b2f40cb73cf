import { Command, Option } from 'clipanion';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { openLedgerReader } from '../../../ledger/reader-io.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { createFilesDurably } from '../../files-io.ts';
import { logDirectory } from '../../log-argument-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';

export class LedgerProve extends DaemonCommand {
  static override paths = [['ledger', 'prove']];
  static override usage = Command.Usage({
    description: 'Make a proof that entry SEQ is in a log, for someone who has only its public key.',
    details:
      'The proof is a C2SP .tlog-proof file with the signed checkpoint inside; hand it over with the line itself.',
    examples: [['Entry 3, to files', '$0 ledger prove 3 --out entry.tlog-proof --line entry.json']],
  });

  seq = Option.String({ name: 'SEQ' });
  log = Option.String({ name: 'LOG', required: false });
  out = Option.String('--out', { description: 'write the proof to the new `FILE` instead of standard output' });
  line = Option.String('--line', { description: 'write the line, verbatim, to the new `FILE`' });

  async run(): Promise<ExitCode> {
    const seq = parseWholeNumber(this.seq, 'SEQ');
    const directory = logDirectory(this.dataDirectory, this.log);
    using reader = await openLedgerReader(directory);
    const proof = await reader.proveInclusion(seq);
    const line = await reader.line(seq);
    createFilesDurably([
      ...(this.line === undefined ? [] : [{ path: this.line, bytes: line, mode: 0o644 }]),
      ...(this.out === undefined ? [] : [{ path: this.out, bytes: proof, mode: 0o644 }]),
    ]);
    if (this.out === undefined && !this.json) {
      await this.context.output.stream(proof);
      return EXIT.done;
    }
    const text = Buffer.from(proof).toString('utf8');
    const where = escapeForTerminal(this.out ?? '');
    this.result(
      { seq, size: reader.size, origin: reader.genesis.origin, proof: text, line: Buffer.from(line).toString('utf8') },
      `entry ${seq} of ${reader.size}: ${where}, ${proof.length} bytes`,
    );
    return EXIT.done;
  }
}
