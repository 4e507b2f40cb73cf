import { Command, Option } from 'clipanion';
import { parseAgeRecipient } from '../../../core/age-recipient.ts';
import { CoreError } from '../../../core/errors.ts';
import { count } from '../../../core/wording.ts';
import { withRevealRecipients } from '../../../verify/root-draft.ts';
import { DaemonCommand } from '../../command.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { changeDraft } from '../../trust-workspace-io.ts';
import { DROPPED_SIGNATURES } from './wording.ts';

export class TrustSetRecipients extends DaemonCommand {
  static override paths = [['trust', 'set-recipients']];
  static override usage = Command.Usage({
    description: 'Say in the draft who can open sealed values: arguments and environments of watched processes.',
    details:
      'Recipients are those of age (age1…, as age-keygen prints them). Every host seals to all of them, and any one can ' +
      'open what was sealed while named. Their private keys belong on no host. The list replaces the one before.',
    examples: [
      [
        'Two people who can',
        '$0 trust set-recipients root --reveal age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p --reveal age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg',
      ],
      ['Nobody: values are not kept at all', '$0 trust set-recipients root --nobody'],
    ],
  });

  directory = Option.String({ name: 'DIR' });
  reveal = Option.Array('--reveal', [], { description: 'the age `RECIPIENT` can open them' });
  nobody = Option.Boolean('--nobody', false, { description: 'nobody can' });

  async run(): Promise<ExitCode> {
    if (this.nobody === this.reveal.length > 0)
      throw usageError('USAGE_OPTION', 'say who: either --reveal or --nobody');
    const reveal = [...new Set(this.reveal)];
    reveal.forEach(assertRecipient);
    const dropped = changeDraft(this.directory, (draft) => withRevealRecipients(draft, reveal));
    this.result({ reveal }, reveal.length === 0 ? 'nobody can open sealed values' : count(reveal.length, 'recipient'));
    if (dropped) this.note(DROPPED_SIGNATURES);
    return EXIT.done;
  }
}

/** What was typed is never shown: it may be the private half. */
function assertRecipient(text: string): void {
  if (/^AGE-SECRET-KEY-/i.test(text)) {
    throw usageError(
      'USAGE_VALUE',
      '--reveal takes the public half (age1…), and this is a private key: replace it, a command line is no secret',
    );
  }
  try {
    parseAgeRecipient(text);
  } catch (cause) {
    if (!(cause instanceof CoreError)) throw cause;
    throw Object.assign(usageError('USAGE_VALUE', `--reveal: ${cause.message}`), { cause });
  }
}
