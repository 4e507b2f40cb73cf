import { Command, Option } from 'clipanion';
import { inspectBundle } from '../../../bundle/inspect-io.ts';
import { DOWNGRADE } from '../../../verify/downgrade.ts';
import { DaemonCommand } from '../../command.ts';
import { createDocumentFile, documentJson, renderDocumentFile } from '../../document-files-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPrivateKey } from '../../key-files-io.ts';
import { parseMoment } from '../../moment.ts';
import { parseName } from '../../names.ts';
import { renderDowngrade } from '../../render/documents.ts';

export class BundleDowngradeBuild extends DaemonCommand {
  static override paths = [['bundle', 'downgrade', 'build']];
  static override usage = Command.Usage({
    description: 'Allow enclaves to go back, once, from the bundle FROM to the older bundle TO of its channel.',
    details:
      'Signed by holders of the role root (bundle downgrade sign). It travels with TO: bundle apply TO --downgrade FILE. ' +
      'The enclave judges TO as any other bundle.',
    examples: [
      [
        'Version 5 breaks things everywhere',
        '$0 bundle downgrade build linux-5.bundle linux-3.bundle --reason "5 breaks ssh" --key alice.key.pem --out back.json',
      ],
    ],
  });

  from = Option.String({ name: 'FROM' });
  to = Option.String({ name: 'TO' });
  reason = Option.String('--reason', { required: true, description: 'say `TEXT` as the reason' });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  audience = Option.Array('--audience', [], { description: 'only for the enclave `NAME`; default: every enclave' });
  expires = Option.String('--expires', '30d', { description: 'valid until `MOMENT`; default 30d' });
  issuedAt = Option.String('--issued-at', { description: 'date it `MOMENT` instead of now' });
  key = Option.String('--key', { description: 'sign with the private key in `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const [from, to] = [await inspectBundle(this.from), await inspectBundle(this.to)];
    const { channel, seq } = from.statement;
    if (to.statement.channel !== channel)
      throw usageError('USAGE_ARGUMENT', 'the two bundles are of different channels');
    if (to.statement.seq >= seq)
      throw usageError('USAGE_ARGUMENT', `TO is seq ${to.statement.seq}, not older than ${seq}`);
    const issuedAt = parseMoment(this.issuedAt ?? this.now, this.now, '--issued-at');
    const document = {
      v: 1,
      channel,
      from: from.payload,
      to: to.payload,
      audience: [...new Set(this.audience.map((name) => parseName(name, '--audience')))],
      reason: this.reason,
      issuedAt,
      expires: parseMoment(this.expires, issuedAt, '--expires'),
    } as const;
    const key = this.key === undefined ? undefined : await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const made = createDocumentFile(DOWNGRADE, document, this.out, key);
    this.result(documentJson(made), renderDocumentFile(made, renderDowngrade(made.document)));
    return EXIT.done;
  }
}
