import { Command } from 'clipanion';
import { HEADS, type HeadsDocument } from '../../../verify/heads.ts';
import { renderHeads } from '../../render/documents.ts';
import { SignDocumentCommand } from '../../sign-document-command.ts';

export class BundleHeadsSign extends SignDocumentCommand<HeadsDocument> {
  static override paths = [['bundle', 'heads', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to a heads statement. Signing twice changes nothing.',
    details:
      'One after the other, or each a copy that --merge takes in. A smart card or HSM signs what --print-pae writes; ' +
      '--add-signature takes the result in.',
    examples: [
      ['The second of two', '$0 bundle heads sign heads.json --key bob.key.pem'],
      ['A copy that bob signed', '$0 bundle heads sign heads.json --merge from-bob.json'],
      ['With a card: what to sign', '$0 bundle heads sign heads.json --print-pae --out to-sign'],
    ],
  });

  protected readonly format = HEADS;
  protected words = renderHeads;
}
