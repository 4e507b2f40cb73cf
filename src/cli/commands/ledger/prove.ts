import { Command, Option } from 'clipanion';
import { decodeUtf8 } from '../../../core/bytes.ts';
import { countShown } from '../../../core/range-proof.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { proveLogRange } from '../../../ledger/log-proof-io.ts';
import { type LedgerReader, openLedgerReader } from '../../../ledger/reader-io.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { createFilesDurably } from '../../files-io.ts';
import { logDirectory } from '../../log-argument-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';

const RANGE = /^([0-9]+)\.\.([0-9]+)$/;
const ONLY = /^trace=(.{1,128})$/;

export class LedgerProve extends DaemonCommand {
  static override paths = [['ledger', 'prove']];
  static override usage = Command.Usage({
    description: 'Prove what is in a log, entry SEQ or the range A..B, for someone who has only its public key.',
    details:
      'Of one entry: a C2SP .tlog-proof file with the signed checkpoint inside. Of a range, from A to before B: what is ' +
      'shown, how many lines are withheld, and where; with --only trace=ID also that all of that trace is shown. Hand it ' +
      'over with the lines themselves.',
    examples: [
      ['Entry 3, to files', '$0 ledger prove 3 --out entry.tlog-proof --line entry.json'],
      ['A trace', '$0 ledger prove 0..500 logs/procmond --only trace=0197a3 --out trace.proof --line trace.ndjson'],
    ],
  });

  seq = Option.String({ name: 'SEQ' });
  log = Option.String({ name: 'LOG', required: false });
  only = Option.String('--only', { description: 'of a range, show only what is `WHAT`: trace=ID' });
  out = Option.String('--out', { description: 'write the proof to the new `FILE` instead of standard output' });
  line = Option.String('--line', { description: 'write the line, or the lines, verbatim, to the new `FILE`' });

  async run(): Promise<ExitCode> {
    const [, from, to] = RANGE.exec(this.seq) ?? [];
    const trace = this.only === undefined ? undefined : ONLY.exec(this.only)?.[1];
    if (this.only !== undefined && trace === undefined) {
      throw usageError('USAGE_VALUE', `--only takes trace=ID, not "${this.only}"`);
    }
    const range =
      from === undefined || to === undefined
        ? undefined
        : { from: parseWholeNumber(from, 'A'), to: parseWholeNumber(to, 'B') };
    if (range === undefined && trace !== undefined) {
      throw usageError('USAGE_OPTION', '--only goes with a range, such as 0..500');
    }
    if (range !== undefined && this.line === undefined) {
      throw usageError(
        'USAGE_OPTION',
        'name the file for the lines with --line: a proof of a range is one of its lines',
      );
    }
    const seq = range === undefined ? parseWholeNumber(this.seq, 'SEQ') : 0;
    using reader = await openLedgerReader(logDirectory(this.dataDirectory, this.log));
    return range === undefined ? await this.#entry(reader, seq) : await this.#range(reader, { ...range, trace });
  }

  async #entry(reader: LedgerReader, seq: number): Promise<ExitCode> {
    const proof = await reader.proveInclusion(seq);
    const line = await reader.line(seq);
    const { size, genesis } = reader;
    const json = { seq, size, origin: genesis.origin, proof: decodeUtf8(proof), line: decodeUtf8(line) };
    return await this.#deliver(proof, line, json, `entry ${seq} of ${size}`);
  }

  async #range(reader: LedgerReader, what: { from: number; to: number; trace: string | undefined }): Promise<ExitCode> {
    const { proof, range, lines } = await proveLogRange(reader, { ...what, signal: this.signal });
    const { origin, size, from, to } = range;
    const shown = countShown(range);
    const withheld = to - from - shown;
    const only = what.trace === undefined ? {} : { trace: what.trace };
    const json = { origin, size, from, to, ...only, shown, withheld, proof: decodeUtf8(proof) };
    const text = `${from}..${to} of ${size}, ${count(shown, 'line')} shown, ${withheld} withheld`;
    return await this.#deliver(proof, lines, json, text);
  }

  async #deliver(proof: Uint8Array, line: Uint8Array, json: object, what: string): Promise<ExitCode> {
    createFilesDurably([
      ...(this.line === undefined ? [] : [{ path: this.line, bytes: line, mode: 0o644 }]),
      ...(this.out === undefined ? [] : [{ path: this.out, bytes: proof, mode: 0o644 }]),
    ]);
    if (this.out === undefined && !this.json) await this.context.output.stream(proof);
    else this.result(json, `${what}: ${escapeForTerminal(this.out ?? '')}, ${proof.length} bytes`);
    return EXIT.done;
  }
}
