import { Command, Option } from 'clipanion';
import { sayPinChange } from '../../../verify/release-pins.ts';
import { withoutReleasePin } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { changeDraft, readDraft } from '../../trust-workspace-io.ts';
import { DROPPED_SIGNATURES } from '../trust/wording.ts';

export class ReleaseRootsRemove extends DaemonCommand {
  static override paths = [['release', 'roots', 'remove']];
  static override usage = Command.Usage({
    description: 'Take a pinned file out of the draft of a trust root.',
    examples: [['A vendor whose key is lost', '$0 release roots remove root vendor']],
  });

  directory = Option.String({ name: 'DIR' });
  name = Option.String({ name: 'NAME' });

  async run(): Promise<ExitCode> {
    const { directory, name } = this;
    const before = new Map(Object.entries(readDraft(directory).releases ?? {})).get(name);
    if (before === undefined) throw usageError('USAGE_VALUE', `nothing is pinned as "${name}" in the draft`);
    const dropped = changeDraft(directory, (draft) => withoutReleasePin(draft, name));
    this.result({ name, before }, sayPinChange({ name, before }));
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}
