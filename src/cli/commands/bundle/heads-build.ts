import { Command, Option } from 'clipanion';
import { HEADS, type Place } from '../../../verify/heads.ts';
import { DaemonCommand } from '../../command.ts';
import { createDocumentFile, documentJson, renderDocumentFile } from '../../document-files-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { refuseExisting } from '../../files-io.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { parseMoment } from '../../moment.ts';
import { placeOfBundle, readReceipts } from '../../receipt-argument-io.ts';
import { renderHeads } from '../../render/documents.ts';
import { evidenceTrust } from '../evidence/trust-argument.ts';

export class BundleHeadsBuild extends DaemonCommand {
  static override paths = [['bundle', 'heads', 'build']];
  static override usage = Command.Usage({
    description: 'Answer receipts: say which bundle of each channel is the newest now. Receipts are verified first.',
    details:
      'Carried to the enclaves whose receipts it answers (bundle heads accept), it turns "not provably fresh" into ' +
      '"fresh as of". Name the newest bundle of every channel the enclave uses.',
    examples: [
      [
        'One channel, one enclave',
        '$0 bundle heads build linux-2.bundle --receipt plant-7.receipt.json --enrolment plant-7.enrolment.json --trust root --key alice.key.pem --out heads.json',
      ],
    ],
  });

  bundles = Option.Rest({ name: 'BUNDLE', required: 1 });
  receipts = Option.Array('--receipt', { required: true, description: 'answer the receipt in `FILE`' });
  announced = Option.Array('--fingerprint', [], {
    description: 'a receipt is `SHA256` by what was told another way: sha256:…, or an image of its small QR code',
  });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  trust = Option.String('--trust', { description: 'judge by the trust root in `ROOT`' });
  enrolments = Option.Array('--enrolment', [], { description: 'the host is enrolled by `FILE`' });
  expires = Option.String('--expires', '30d', { description: 'valid until `MOMENT`; default 30d' });
  issuedAt = Option.String('--issued-at', { description: 'date it `MOMENT` instead of now' });
  key = Option.String('--key', { description: 'sign with the private key in `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    refuseExisting([this.out]);
    const { trust: root, enrolments, now } = this;
    const trust = await evidenceTrust(this.dataDirectory, { root, enrolments, floor: undefined, now });
    const verified = await readReceipts(this.receipts, trust, this.announced);
    const receipts = verified.map(({ document }) => document);
    const channels: Record<string, Place> = {};
    for (const path of this.bundles) {
      const { channel, ...place } = await placeOfBundle(path, trust);
      if (channels[channel] !== undefined)
        throw usageError('USAGE_ARGUMENT', `two bundles are of ${channel}; name the newest`);
      channels[channel] = place;
    }
    const issuedAt = parseMoment(this.issuedAt ?? now, now, '--issued-at');
    const answers = [...new Set(receipts.map(({ nonce }) => nonce))];
    const expires = parseMoment(this.expires, issuedAt, '--expires');
    const key = this.key === undefined ? undefined : await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const made = createDocumentFile(HEADS, { v: 1, channels, answers, issuedAt, expires }, this.out, key);
    this.result(documentJson(made), renderDocumentFile(made, renderHeads(made.document)));
    for (const { channels: held, host } of receipts) {
      const missing = Object.keys(held).filter((channel) => channels[channel] === undefined);
      if (missing.length > 0) this.note(`The host ${host} also uses ${missing.join(', ')}: nothing is said of that.`);
    }
    return EXIT.done;
  }
}
