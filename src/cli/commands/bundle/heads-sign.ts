import { Command } from 'clipanion';
import { HEADS, type HeadsDocument } from '../../../verify/heads.ts';
import { renderHeads } from '../../render/documents.ts';
import { SignDocumentCommand } from '../../sign-document-command.ts';

export class BundleHeadsSign extends SignDocumentCommand<HeadsDocument> {
  static override paths = [['bundle', 'heads', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to a heads statement. Signing twice changes nothing.',
    examples: [['The second of two', '$0 bundle heads sign heads.json --key bob.key.pem']],
  });

  protected readonly format = HEADS;
  protected words = renderHeads;
}
