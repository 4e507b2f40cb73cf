import { dirname } from 'node:path';
import { Command } from 'clipanion';
import { MediaSeen } from '../../../bundle/medium-io.ts';
import { parseEnvelope, payloadDigest } from '../../../core/dsse.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { issueReceipt } from '../../../install/receipt-io.ts';
import { MAX_RECEIPT_BYTES, RECEIPT_PAYLOAD_TYPE } from '../../../verify/receipt.ts';
import { encodeReceiptTag } from '../../../verify/receipt-tag.ts';
import { CarryingCommand } from '../../carrying-command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { openInstallHere } from '../../install-here-io.ts';
import { renderReceipt } from '../../render/documents.ts';

export class BundleReceipt extends CarryingCommand {
  static override paths = [['bundle', 'receipt']];
  static override usage = Command.Usage({
    description: 'Write a signed receipt to carry out: what this enclave holds and refused, and a new nonce.',
    details:
      'Who answers it (bundle heads build) proves what was the newest after it was written. Its key is enrolled ' +
      "together with this host's logs (trust enrol request). Beside --out a QR code holds its fingerprint and nonce, to " +
      'hold the file against; without --out the QR codes hold the receipt itself.',
    examples: [
      ['Onto the stick', '$0 bundle receipt --out /media/usb/plant-7.receipt.json'],
      ['And its fingerprint to be photographed', '$0 bundle receipt --out /media/usb/plant-7.receipt.json --qr'],
      ['Where no stick may leave', '$0 bundle receipt --png plant-7.png'],
    ],
  });

  async run(): Promise<ExitCode> {
    this.assertWays();
    await using install = await openInstallHere(this.dataDirectory);
    const media = new MediaSeen();
    for (const place of this.places) media.note(dirname(place));
    const { document, bytes, keyid, entry, unread } = await issueReceipt(install, media.media);
    const fingerprint = payloadDigest(parseEnvelope(bytes, RECEIPT_PAYLOAD_TYPE, MAX_RECEIPT_BYTES));
    const code = this.out === undefined ? undefined : encodeReceiptTag(fingerprint, document.nonce);
    const { files, written, text } = await this.carry(bytes, code);
    this.result(
      { files, written, fingerprint, keyid, document, entry },
      [...renderReceipt(document), `  fingerprint ${fingerprint}`, text].join('\n'),
    );
    this.noteWritten(written);
    for (const log of unread) this.note(`The log ${escapeForTerminal(log)} has no head to trust: see ledger verify.`);
    return EXIT.done;
  }
}
