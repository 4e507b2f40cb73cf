import { Command, Option } from 'clipanion';
import { encodeHex } from '../../../core/bytes.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { exportTiles } from '../../../ledger/export-io.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { logDirectory } from '../../log-argument-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';

/** Each is a file, and each is checked before it is written. */
const MAX_PROOFS = 10_000;

export class LedgerExport extends DaemonCommand {
  static override paths = [['ledger', 'export']];
  static override usage = Command.Usage({
    description: 'Write a sha256 log as a C2SP tlog-tiles directory, which other tools read and check.',
    details:
      'The tiles are made from the lines, and must give the root that the head signs. Logs hashed with blake3 are ' +
      'refused: C2SP knows SHA-256 only.',
    examples: [
      ['For a web server', '$0 ledger export logs/agent --tiles /srv/tlog'],
      ['With a proof each of the first ten entries', '$0 ledger export logs/agent --tiles tlog --prove 0..10'],
    ],
  });

  log = Option.String({ name: 'LOG', required: false });
  tiles = Option.String('--tiles', { required: true, description: 'write the new directory `DIR`' });
  prove = Option.String('--prove', {
    description: 'also write DIR/proof/SEQ.tlog-proof for each entry from A up to, not including, B: `A..B`',
  });

  async run(): Promise<ExitCode> {
    const directory = logDirectory(this.dataDirectory, this.log);
    const prove = this.prove === undefined ? {} : { prove: parseRange(this.prove) };
    const { checkpoint, files, bytes } = await exportTiles({ directory, out: this.tiles, ...prove });
    const { origin, size } = checkpoint;
    this.result(
      { directory: this.tiles, origin, size, root: `sha256:${encodeHex(checkpoint.root)}`, files, bytes },
      `${size} entries of ${escapeForTerminal(origin)}: ${escapeForTerminal(this.tiles)}, ${files} files, ${bytes} bytes`,
    );
    return EXIT.done;
  }
}

function parseRange(text: string): { readonly from: number; readonly to: number } {
  const [a = '', b = '', ...more] = text.split('..');
  const [from, to] = [parseWholeNumber(a, 'A of --prove A..B'), parseWholeNumber(b, 'B of --prove A..B')];
  if (more.length > 0 || to <= from || to - from > MAX_PROOFS) {
    throw usageError('USAGE_VALUE', `--prove A..B takes A below B, and at most ${MAX_PROOFS} entries`);
  }
  return { from, to };
}
