import { Command } from 'clipanion';
import type { KeyId } from '../../../core/keys.ts';
import { type AnyOrder, readOrder } from '../../../ledger/orders.ts';
import { MAX_DOCUMENT_BYTES } from '../../../verify/signed-document.ts';
import { type DocumentFile, documentJson, type FileFormat, renderDocumentFile } from '../../document-files-io.ts';
import { renderOrder } from '../../render/orders.ts';
import { SignFileCommand } from '../../sign-document-command.ts';

export class LedgerApprove extends SignFileCommand<AnyOrder> {
  static override paths = [['ledger', 'approve']];
  static override usage = Command.Usage({
    description: 'Add a signature to an order about a log. Signing twice changes nothing.',
    details:
      'Where the settings ask for more than one approver (approvals.prune), ledger prune and ledger redact carry out only what ' +
      'as many have signed. One after the other, or each a copy that --merge takes in. A smart card or HSM signs what ' +
      '--print-pae writes; --add-signature takes the result in.',
    examples: [
      ['The second approver', '$0 ledger approve lab.prune --key ben.key.pem'],
      ['A copy that ben signed', '$0 ledger approve lab.prune --merge from-ben.prune'],
      ['With a card: what to sign', '$0 ledger approve lab.prune --print-pae --out to-sign'],
    ],
  });

  protected readonly fileFormat: FileFormat<AnyOrder> = {
    maxBytes: MAX_DOCUMENT_BYTES,
    parse: (bytes) => {
      const { envelope, order } = readOrder(bytes);
      return { envelope, document: order };
    },
  };

  protected tell(signed: DocumentFile<AnyOrder>, keyid: KeyId | undefined): void {
    const json = { ...documentJson(signed), ...(keyid === undefined ? {} : { keyid }) };
    this.result(json, renderDocumentFile(signed, renderOrder(signed.document)));
  }
}
