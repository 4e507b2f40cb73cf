import { Command, Option } from 'clipanion';
import { withKey } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { isRevoked } from '../../draft-keys-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPublicKey } from '../../key-files-io.ts';
import { parseMoment } from '../../moment.ts';
import { parseName } from '../../names.ts';
import { changeDraft } from '../../trust-workspace-io.ts';
import { DROPPED_SIGNATURES } from './wording.ts';

export class TrustAddKey extends DaemonCommand {
  static override paths = [['trust', 'add-key']];
  static override usage = Command.Usage({
    description: 'List a public key in the draft of a trust root.',
    details:
      'A threshold counts people: two keys of one operator are one voice. A key does nothing until a role names it.',
    examples: [["Alice's key", '$0 trust add-key root alice.pub.pem --operator alice']],
  });

  directory = Option.String({ name: 'DIR' });
  file = Option.String({ name: 'PUBLIC_KEY' });
  operator = Option.String('--operator', { description: 'the key speaks for the person `NAME`' });
  notAfter = Option.String('--not-after', { description: 'it counts until `MOMENT` (2027-01-31, 365d)' });

  async run(): Promise<ExitCode> {
    const key = loadPublicKey(this.file);
    const about = {
      ...(this.operator === undefined ? {} : { operator: parseName(this.operator, '--operator') }),
      ...(this.notAfter === undefined ? {} : { notAfter: parseMoment(this.notAfter, this.now, '--not-after') }),
    };
    const dropped = changeDraft(this.directory, (draft) => {
      if (isRevoked(draft, key.keyid)) throw usageError('USAGE_VALUE', `${this.file} is revoked; make a new key`);
      return withKey(draft, key, about);
    });
    this.result({ keyid: key.keyid, ...about }, `key ${key.keyid}`);
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}
