import { Command, Option } from 'clipanion';
import type { KeyId } from '../../../core/keys.ts';
import { count } from '../../../core/wording.ts';
import { isRole, ROLES } from '../../../verify/role-table.ts';
import type { RootDocument } from '../../../verify/root-document.ts';
import { withRole } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { keyidsNamed } from '../../draft-keys-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { changeDraft } from '../../trust-workspace-io.ts';
import { parseWholeNumber } from '../../whole-number.ts';
import { DROPPED_SIGNATURES } from './wording.ts';

export class TrustSetRole extends DaemonCommand {
  static override paths = [['trust', 'set-role']];
  static override usage = Command.Usage({
    description: 'Say in the draft which keys hold ROLE and how many of their holders must sign.',
    details: `Roles: ${Object.keys(ROLES).join(', ')}. A key is named by its operator (all of its unrevoked keys), its keyid or its public key file.`,
    examples: [
      ['Two of three publish rules', '$0 trust set-role root rules --threshold 2 --key alice --key bob --key carol'],
      ['Only on some channels', "$0 trust set-role root rules --threshold 1 --key alice --channel 'rules/*'"],
      ['No longer granted to anybody', '$0 trust set-role root updates --nobody'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  role = Option.String({ name: 'ROLE' });
  keys = Option.Array('--key', [], { description: 'held by `KEY`: an operator, a keyid or a file' });
  nobody = Option.Boolean('--nobody', false, { description: 'take the role away from everybody' });
  threshold = Option.String('--threshold', '1', { description: 'so many holders must sign: `N`' });
  channels = Option.Array('--channel', { description: 'only for channels like `PATTERN` (rules/*)' });

  async run(): Promise<ExitCode> {
    if (!isRole(this.role)) {
      throw usageError('USAGE_VALUE', `"${this.role}" is not a role; one of: ${Object.keys(ROLES).join(', ')}`);
    }
    if (this.nobody === this.keys.length > 0) throw usageError('USAGE_OPTION', 'say who: either --key or --nobody');
    const threshold = parseWholeNumber(this.threshold, '--threshold');
    if (threshold < 1) throw usageError('USAGE_VALUE', '--threshold is at least 1: nobody signing is no signature');
    let keyids: readonly KeyId[] = [];
    const dropped = changeDraft(this.directory, (draft) => {
      if (this.nobody) return withoutRole(draft, this.role);
      keyids = [...new Set(this.keys.flatMap((key) => keyidsNamed(draft, key)))];
      const channels = this.channels === undefined ? {} : { channels: this.channels };
      return withRole(draft, this.role, { keyids, threshold, ...channels });
    });
    const said = this.nobody ? 'nobody' : `${threshold} of ${count(keyids.length, 'key')}`;
    this.result({ role: this.role, threshold, keyids }, `role ${this.role}: ${said}`);
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}

function withoutRole(draft: RootDocument, role: string): RootDocument {
  return { ...draft, roles: Object.fromEntries(Object.entries(draft.roles).filter(([name]) => name !== role)) };
}
