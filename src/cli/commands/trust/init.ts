import { Command, Option } from 'clipanion';
import { firstDraft, nextDraft } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { parseMoment } from '../../moment.ts';
import { parseName } from '../../names.ts';
import { readChain, startDraft } from '../../trust-workspace-io.ts';

export class TrustInit extends DaemonCommand {
  static override paths = [['trust', 'init']];
  static override usage = Command.Usage({
    description: 'Start a trust root in DIR, or its next version when DIR holds finished ones.',
    details:
      'A trust root says which keys hold which role and how many must agree. Add keys and roles, have it signed, ' +
      'then finish it. The next version starts as a copy of the last; that is how keys are rotated.',
    examples: [
      ['The first version', '$0 trust init root --enclave plant-7 --expires 365d'],
      ['The next one, a year later', '$0 trust init root --expires 365d'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  expires = Option.String('--expires', { required: true, description: 'valid until `MOMENT` (2027-01-31, 365d)' });
  enclave = Option.String('--enclave', { description: 'the `NAME` that bundles may be addressed to' });
  issuedAt = Option.String('--issued-at', { description: 'date it `MOMENT` instead of now' });

  async run(): Promise<ExitCode> {
    const issuedAt = this.issuedAt === undefined ? this.now : parseMoment(this.issuedAt, this.now, '--issued-at');
    const expires = parseMoment(this.expires, issuedAt, '--expires');
    if (expires <= issuedAt) {
      throw usageError('USAGE_VALUE', `--expires ${this.expires} is no later than its issue at ${issuedAt}`);
    }
    const enclave = this.enclave === undefined ? {} : { enclave: parseName(this.enclave, '--enclave') };
    const last = readChain(this.directory).at(-1);
    const next = last === undefined ? firstDraft(issuedAt, expires) : nextDraft(last, issuedAt, expires);
    startDraft(this.directory, { ...next, ...enclave });
    this.result(
      { version: next.version, issuedAt, expires, directory: this.directory },
      `draft of trust root ${next.version}, valid until ${expires}`,
    );
    this.note('Next: daemoneye trust add-key, trust set-role, then trust sign and trust finish.');
    return EXIT.done;
  }
}
