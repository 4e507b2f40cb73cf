import { existsSync } from 'node:fs';
import { Command, Option } from 'clipanion';
import type { KeyId } from '../../../core/keys.ts';
import { isRole, ROLES } from '../../../verify/role-table.ts';
import type { RootDocument } from '../../../verify/root-document.ts';
import { withRole } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { loadPublicKey } from '../../key-files-io.ts';
import { changeDraft } from '../../trust-workspace-io.ts';
import { DROPPED_SIGNATURES } from './wording.ts';

export class TrustSetRole extends DaemonCommand {
  static override paths = [['trust', 'set-role']];
  static override usage = Command.Usage({
    description: 'Say in the draft which keys hold ROLE and how many of their holders must sign.',
    details: `Roles: ${Object.keys(ROLES).join(', ')}. A key is named by its public key file, its operator or its keyid.`,
    examples: [
      ['Two of three publish rules', '$0 trust set-role root rules --threshold 2 --key alice --key bob --key carol'],
      ['Only on some channels', "$0 trust set-role root rules --threshold 1 --key alice --channel 'rules/*'"],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  role = Option.String({ name: 'ROLE' });
  keys = Option.Array('--key', { required: true, description: 'held by `KEY`: a file, an operator or a keyid' });
  threshold = Option.String('--threshold', '1', { description: 'so many holders must sign: `N`' });
  channels = Option.Array('--channel', { description: 'only for channels like `PATTERN` (rules/*)' });

  async run(): Promise<ExitCode> {
    if (!isRole(this.role)) {
      throw usageError('USAGE_VALUE', `"${this.role}" is not a role; one of: ${Object.keys(ROLES).join(', ')}`);
    }
    if (!/^[0-9]{1,4}$/.test(this.threshold)) throw usageError('USAGE_VALUE', '--threshold takes a whole number');
    const threshold = Number(this.threshold);
    let keyids: readonly KeyId[] = [];
    const dropped = changeDraft(this.directory, (draft) => {
      keyids = [...new Set(this.keys.flatMap((key) => keyidsNamed(draft, key)))];
      const channels = this.channels === undefined ? {} : { channels: this.channels };
      return withRole(draft, this.role, { keyids, threshold, ...channels });
    });
    this.result({ role: this.role, threshold, keyids }, `role ${this.role}: ${threshold} of ${keyids.length} keys`);
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}

/** The draft's keys that a person means by a file, an operator's name or a keyid (its first 8 digits suffice). */
export function keyidsNamed(draft: RootDocument, name: string): KeyId[] {
  const fromFile = existsSync(name) ? loadPublicKey(name).keyid : undefined;
  const found = Object.entries(draft.keys)
    .filter(([keyid, { operator }]) => operator === name || keyid === fromFile || isPrefix(name, keyid))
    .map(([keyid]) => keyid);
  if (found.length === 0) {
    throw usageError('USAGE_VALUE', `no key in the draft is meant by "${name}"; list it first with trust add-key`);
  }
  return found;
}

function isPrefix(name: string, keyid: KeyId): boolean {
  return /^[0-9a-f]{8,64}$/.test(name) && keyid.startsWith(name);
}
