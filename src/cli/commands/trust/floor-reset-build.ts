import { Command, Option } from 'clipanion';
import { FLOOR_RESET } from '../../../verify/floor-reset.ts';
import { DaemonCommand } from '../../command.ts';
import { createDocumentFile, documentJson, renderDocumentFile } from '../../document-files-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { parseMoment } from '../../moment.ts';
import { readReceipt } from '../../receipt-argument-io.ts';
import { renderFloorReset } from '../../render/documents.ts';
import { evidenceTrust } from '../evidence/trust-argument.ts';

export class TrustFloorResetBuild extends DaemonCommand {
  static override paths = [['trust', 'floor-reset', 'build']];
  static override usage = Command.Usage({
    description: 'Correct the time floor of one enclave, once, in answer to a receipt that shows it wrong.',
    details:
      'For the day a signer with a wrong clock pushed the floor ahead, so that everything looks expired there. Signed by ' +
      'holders of the role root (trust floor-reset sign).',
    examples: [
      [
        'The floor is in 2031',
        '$0 trust floor-reset build plant-7.receipt.json --to 2027-01-31 --reason "a wrong clock" --enrolment plant-7.enrolment.json --trust root --key alice.key.pem --out reset.json',
      ],
    ],
  });

  receipt = Option.String({ name: 'RECEIPT' });
  to = Option.String('--to', { required: true, description: 'set the floor to `MOMENT` (2027-01-31)' });
  reason = Option.String('--reason', { required: true, description: 'say `TEXT` as the reason' });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  trust = Option.String('--trust', { description: 'judge by the trust root in `ROOT`' });
  enrolments = Option.Array('--enrolment', [], { description: 'the host is enrolled by `FILE`' });
  issuedAt = Option.String('--issued-at', { description: 'date it `MOMENT` instead of now' });
  key = Option.String('--key', { description: 'sign with the private key in `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const { trust: root, enrolments, now } = this;
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor: undefined, now });
    const { host, nonce, floor } = (await readReceipt([this.receipt], trust)).document;
    const document = {
      v: 1,
      host,
      answers: nonce,
      from: floor,
      to: parseMoment(this.to, now, '--to'),
      reason: this.reason,
      issuedAt: parseMoment(this.issuedAt ?? now, now, '--issued-at'),
    } as const;
    const key = this.key === undefined ? undefined : await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const made = createDocumentFile(FLOOR_RESET, document, this.out, key);
    this.result(documentJson(made), renderDocumentFile(made, renderFloorReset(made.document)));
    return EXIT.done;
  }
}
