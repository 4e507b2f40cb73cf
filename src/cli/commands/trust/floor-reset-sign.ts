import { Command } from 'clipanion';
import { FLOOR_RESET, type FloorResetDocument } from '../../../verify/floor-reset.ts';
import { renderFloorReset } from '../../render/documents.ts';
import { SignDocumentCommand } from '../../sign-document-command.ts';

export class TrustFloorResetSign extends SignDocumentCommand<FloorResetDocument> {
  static override paths = [['trust', 'floor-reset', 'sign']];
  static override usage = Command.Usage({
    description: 'Add a signature to a floor reset. Signing twice changes nothing.',
    examples: [['The second holder of root', '$0 trust floor-reset sign reset.json --key bob.key.pem']],
  });

  protected readonly format = FLOOR_RESET;
  protected words = renderFloorReset;
}
