import { Command } from 'clipanion';
import { DOWNGRADE, type DowngradeDocument } from '../../../verify/downgrade.ts';
import { renderDowngrade } from '../../render/documents.ts';
import { SignDocumentCommand } from '../../sign-document-command.ts';

export class BundleDowngradeSign extends SignDocumentCommand<DowngradeDocument> {
  static override paths = [['bundle', 'downgrade', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to a downgrade statement. Signing twice changes nothing.',
    details:
      'One after the other, or each a copy that --merge takes in. A smart card or HSM signs what --print-pae writes; ' +
      '--add-signature takes the result in.',
    examples: [
      ['The second holder of root', '$0 bundle downgrade sign back.json --key bob.key.pem'],
      ['A copy that bob signed', '$0 bundle downgrade sign back.json --merge from-bob.json'],
      ['With a card: what to sign', '$0 bundle downgrade sign back.json --print-pae --out to-sign'],
    ],
  });

  protected readonly format = DOWNGRADE;
  protected words = renderDowngrade;
}
