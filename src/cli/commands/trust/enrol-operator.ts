import { Command, Option } from 'clipanion';
import { encodeEnvelope, signEnvelope } from '../../../core/dsse.ts';
import {
  ENROLLABLE_ROLES,
  type EnrollableRole,
  parseEnrolmentPayload,
  sealEnrolment,
} from '../../../verify/enrolment-document.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { createFilesDurably } from '../../files-io.ts';
import { loadPrivateKey, loadPublicKey } from '../../key-files-io.ts';
import { parseMoment } from '../../moment.ts';
import { parseName } from '../../names.ts';
import { enrolmentJson, renderSigned } from './enrol-files.ts';

export class TrustEnrolOperator extends DaemonCommand {
  static override paths = [['trust', 'enrol', 'operator']];
  static override usage = Command.Usage({
    description: 'Enrol an operator: these keys speak for this person, in these roles, until a day.',
    details: `Roles: ${ENROLLABLE_ROLES.join(', ')}. Everything else stays in the trust root. Further holders of the role enrol, and smart cards, add their signatures with trust enrol sign.`,
    examples: [
      [
        'An analyst for a quarter',
        '$0 trust enrol operator carol --public carol.pub.pem --role operator:hunter --role evidence --expires 90d --key alice.key.pem --out carol.enrolment.json',
      ],
    ],
  });

  name = Option.String({ name: 'NAME' });
  publicKeys = Option.Array('--public', { required: true, description: 'the person has the public key in `FILE`' });
  roles = Option.Array('--role', { required: true, description: 'may act as `ROLE`' });
  expires = Option.String('--expires', { required: true, description: 'valid until `MOMENT` (2027-01-31, 90d)' });
  key = Option.String('--key', { description: 'sign with the private key in `FILE`' });
  out = Option.String('--out', { required: true, description: 'write `FILE`' });
  passphraseFile = Option.String('--passphrase-file', {
    description: 'take the passphrase from the first line of `FILE` (also: DAEMONEYE_PASSPHRASE_FILE)',
  });

  async run(): Promise<ExitCode> {
    const unsigned = sealEnrolment({
      v: 1,
      operator: parseName(this.name, 'NAME'),
      keys: this.publicKeys.map(loadPublicKey).map(({ keyid, pem }) => ({ keyid, pem })),
      roles: [...new Set(this.roles.map(enrollable))],
      issuedAt: this.now,
      expires: parseMoment(this.expires, this.now, '--expires'),
    });
    const key = this.key === undefined ? undefined : await loadPrivateKey(this.key, this.context, this.passphraseFile);
    const envelope = key === undefined ? unsigned : signEnvelope(unsigned, key);
    createFilesDurably([{ path: this.out, bytes: encodeEnvelope(envelope), mode: 0o644 }]);
    const made = { file: this.out, envelope, document: parseEnrolmentPayload(envelope.payload) };
    const signer = key === undefined ? {} : { keyid: key.publicKey.keyid };
    this.result({ ...signer, ...enrolmentJson(made) }, renderSigned(made));
    return EXIT.done;
  }
}

function enrollable(role: string): EnrollableRole {
  const known = ENROLLABLE_ROLES.find((name) => name === role);
  if (known === undefined) {
    throw usageError(
      'USAGE_VALUE',
      `an enrolment can't give the role "${role}"; one of: ${ENROLLABLE_ROLES.join(', ')}`,
    );
  }
  return known;
}
