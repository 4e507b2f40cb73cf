import { Command, Option } from 'clipanion';
import { expectedBlobs } from '../../../bundle/index-lines.ts';
import { inspectBundle } from '../../../bundle/inspect-io.ts';
import { writeDelta } from '../../../bundle/volumes/split-io.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { DaemonCommand } from '../../command.ts';
import { CliError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { readReceipt } from '../../receipt-argument-io.ts';
import { writtenText, writtenTo } from '../../written-io.ts';
import { evidenceTrust } from '../evidence/trust-argument.ts';

export class BundleDelta extends DaemonCommand {
  static override paths = [['bundle', 'delta']];
  static override usage = Command.Usage({
    description:
      'Pack a bundle without what an enclave holds already, by its receipt. Verified there as the whole bundle.',
    details:
      'A receipt names the bundles it proves to hold; --base gives them, for their file lists. What the enclave has ' +
      'lost since is found lacking when the delta is applied, and nothing is changed then.',
    examples: [
      [
        'Only what is new to plant 7',
        '$0 bundle delta linux-2.bundle --receipt plant-7.receipt.json --base linux-1.bundle --enrolment plant-7.enrolment.json --trust root --out linux-2.delta.tar',
      ],
    ],
  });

  bundle = Option.String({ name: 'BUNDLE' });
  receipts = Option.Array('--receipt', {
    required: true,
    description: 'what the enclave holds: the receipt in `FILE`, or each image of its QR codes',
  });
  announced = Option.Array('--fingerprint', [], {
    description: 'the receipt is `SHA256` by what was told another way: sha256:…, or an image of its small QR code',
  });
  bases = Option.Array('--base', { required: true, description: 'a bundle the enclave holds: `BUNDLE`' });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  trust = Option.String('--trust', { description: 'judge by the trust root in `ROOT`' });
  enrolments = Option.Array('--enrolment', [], { description: 'the host is enrolled by `FILE`' });

  async run(): Promise<ExitCode> {
    const { trust: root, enrolments, now } = this;
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor: undefined, now });
    const { document } = await readReceipt(this.receipts, trust, this.announced);
    const held = new Set<string>();
    for (const path of this.bases) {
      const { payload, entries } = await inspectBundle(path);
      if (!document.holds.includes(payload)) throw notHeld(path, document.host);
      for (const sha256 of expectedBlobs(entries).keys()) held.add(sha256);
    }
    const progress = this.progress('packing', { unit: 'bytes' }).update;
    const { sha256, bytes, blobs, leftOut, readBack } = await writeDelta(this.bundle, this.out, held, {
      signal: this.signal,
      progress,
    });
    const written = writtenTo(this.out, [readBack]);
    this.result(
      { file: this.out, sha256, bytes, blobs, leftOut, host: document.host, ...written },
      `${escapeForTerminal(this.out)}  ${bytes} bytes  sha256:${sha256}\n` +
        `${count(blobs, 'piece')} in it, ${leftOut} left out that the host ${document.host} holds`,
    );
    for (const line of writtenText(written)) this.note(line);
    return EXIT.done;
  }
}

function notHeld(path: string, host: string): CliError {
  const message = `${escapeForTerminal(path)} is not among what the host ${host} holds: name a bundle of its receipt`;
  return new CliError('BASE_NOT_HELD', message, { fault: 'untrusted' });
}
