import { Command } from 'clipanion';
import { DOWNGRADE, type DowngradeDocument } from '../../../verify/downgrade.ts';
import { renderDowngrade } from '../../render/documents.ts';
import { SignDocumentCommand } from '../../sign-document-command.ts';

export class BundleDowngradeSign extends SignDocumentCommand<DowngradeDocument> {
  static override paths = [['bundle', 'downgrade', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to a downgrade statement. Signing twice changes nothing.',
    examples: [['The second holder of root', '$0 bundle downgrade sign back.json --key bob.key.pem']],
  });

  protected readonly format = DOWNGRADE;
  protected words = renderDowngrade;
}
