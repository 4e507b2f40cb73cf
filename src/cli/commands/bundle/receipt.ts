import { Command, Option } from 'clipanion';
import { parseEnvelope, payloadDigest } from '../../../core/dsse.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { issueReceipt } from '../../../install/receipt-io.ts';
import { MAX_RECEIPT_BYTES, RECEIPT_PAYLOAD_TYPE } from '../../../verify/receipt.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { createFilesDurably, refuseExisting } from '../../files-io.ts';
import { openInstallHere } from '../../install-here-io.ts';
import { renderReceipt } from '../../render/documents.ts';

export class BundleReceipt extends DaemonCommand {
  static override paths = [['bundle', 'receipt']];
  static override usage = Command.Usage({
    description: 'Write a signed receipt to carry out: what this enclave holds and refused, and a new nonce.',
    details:
      'Who answers it (bundle heads build) proves what was the newest after it was written. Its key is enrolled ' +
      "together with this host's logs (trust enrol request).",
    examples: [['Onto the stick', '$0 bundle receipt --out /media/usb/plant-7.receipt.json']],
  });

  out = Option.String('--out', { required: true, description: 'write `FILE`' });

  async run(): Promise<ExitCode> {
    refuseExisting([this.out]);
    await using install = await openInstallHere(this.dataDirectory);
    const { document, bytes, keyid, entry, unread } = await issueReceipt(install);
    createFilesDurably([{ path: this.out, bytes, mode: 0o644 }]);
    const fingerprint = payloadDigest(parseEnvelope(bytes, RECEIPT_PAYLOAD_TYPE, MAX_RECEIPT_BYTES));
    this.result(
      { file: this.out, fingerprint, keyid, document, entry },
      [...renderReceipt(document), `  fingerprint ${fingerprint}`, escapeForTerminal(this.out)].join('\n'),
    );
    for (const log of unread) this.note(`The log ${escapeForTerminal(log)} has no head to trust: see ledger verify.`);
    return EXIT.done;
  }
}
