import { Command, Option } from 'clipanion';
import { type Envelope, payloadDigest } from '../../../core/dsse.ts';
import type { KeyId, PrivateKey, PublicKey } from '../../../core/keys.ts';
import { escapeForTerminal } from '../../../core/terminal-text.ts';
import { count } from '../../../core/wording.ts';
import { pinChanges, sayPinChange } from '../../../verify/release-pins.ts';
import { SigningCommand } from '../../signing-command.ts';
import { assertRevocationsKept, sayTakenBack } from '../../taken-back.ts';
import {
  addDraftSignature,
  type DraftToSign,
  openDraftToSign,
  previousVersion,
  signDraft,
} from '../../trust-signing-io.ts';

const NO_ROOT_KEY =
  'This key does not hold the role root in the draft: it counts only if it held it in the version before.';

export class TrustSign extends SigningCommand {
  static override paths = [['trust', 'sign']];
  static override usage = Command.Usage({
    description: 'Sign the draft of a trust root: in its directory, or a copy of draft.root.dsse.json.',
    details:
      'People on separate machines sign copies, in any order; trust finish gathers them. A smart card or HSM signs what ' +
      '--print-pae writes; --add-signature takes the result in. A draft that takes back what the version before revoked ' +
      'is not signed unless that is said to be meant.',
    examples: [
      ['Here', '$0 trust sign root --key alice.key.pem'],
      ['A copy from a stick', '$0 trust sign draft.root.dsse.json --key bob.key.pem --previous 1.root.dsse.json'],
      ['With a card: what to sign', '$0 trust sign root --print-pae --out to-sign'],
      ['With a card: its 64 bytes', '$0 trust sign root --add-signature sig.bin --key carol.pub.pem'],
    ],
  });

  draft = Option.String({ name: 'DIR_OR_FILE' });
  previous = Option.String('--previous', {
    description: 'the version before is `ROOT`; default the one beside the draft',
  });
  drop = Option.Boolean('--drop-revocations', false, { description: 'it is meant to take revocations back' });

  protected async toSign(): Promise<Envelope> {
    return this.#checked().envelope;
  }

  protected async signWith(key: PrivateKey): Promise<void> {
    const draft = this.#checked();
    this.#tell(draft, signDraft(draft, key), key.publicKey.keyid);
  }

  protected async addSigned(key: PublicKey, signature: Uint8Array): Promise<void> {
    const draft = this.#checked();
    this.#tell(draft, addDraftSignature(draft, key, signature), key.keyid);
  }

  /** Before every way of signing: also what a card is about to sign. */
  #checked(): DraftToSign {
    const draft = openDraftToSign(this.draft);
    const { version } = draft.document;
    const previous = previousVersion(draft, this.previous);
    const dropped = assertRevocationsKept(previous?.document, draft.document, this.drop);
    if (previous !== undefined) {
      this.note(`Compared with version ${previous.version}, fingerprint ${previous.digest}.`);
    } else if (version > 1) {
      this.note(`Not compared with version ${version - 1}, which is not here; with --previous it would be.`);
    }
    // Whose releases are believed: nobody should find out afterwards that he signed for another key.
    for (const change of pinChanges(previous?.document ?? {}, draft.document)) {
      if (previous !== undefined || version === 1) this.note(`Pins: ${sayPinChange(change)}.`);
    }
    if (dropped !== undefined) this.note(`Careful: ${sayTakenBack(dropped, version)}.`);
    return draft;
  }

  #tell({ file, document }: DraftToSign, envelope: Envelope, keyid: KeyId): void {
    const fingerprint = payloadDigest(envelope);
    const signatures = envelope.signatures.length;
    this.result(
      { file, keyid, fingerprint, signatures },
      `${escapeForTerminal(file)}: ${count(signatures, 'signature')}, fingerprint ${fingerprint}`,
    );
    if (document.roles['root']?.keyids.includes(keyid) !== true) this.note(NO_ROOT_KEY);
  }
}
