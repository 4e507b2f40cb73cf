import { Command } from 'clipanion';
import { FLOOR_RESET, type FloorResetDocument } from '../../../verify/floor-reset.ts';
import { renderFloorReset } from '../../render/documents.ts';
import { SignDocumentCommand } from '../../sign-document-command.ts';

export class TrustFloorResetSign extends SignDocumentCommand<FloorResetDocument> {
  static override paths = [['trust', 'floor-reset', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to a floor reset. Signing twice changes nothing.',
    details:
      'One after the other, or each a copy that --merge takes in. A smart card or HSM signs what --print-pae writes; ' +
      '--add-signature takes the result in.',
    examples: [
      ['The second holder of root', '$0 trust floor-reset sign reset.json --key bob.key.pem'],
      ['A copy that bob signed', '$0 trust floor-reset sign reset.json --merge from-bob.json'],
      ['With a card: what to sign', '$0 trust floor-reset sign reset.json --print-pae --out to-sign'],
    ],
  });

  protected readonly format = FLOOR_RESET;
  protected words = renderFloorReset;
}
