import { Command, Option } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { type RollbackOutcome, rollBack } from '../../../install/rollback-io.ts';
import { DaemonCommand } from '../../command.ts';
import { type ContentDiff, compareContent } from '../../compare-content.ts';
import { enclaveNames } from '../../configuration-io.ts';
import { contentCheck } from '../../content-check-io.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { openInstallHere } from '../../install-here-io.ts';
import { agree } from '../../prompt-io.ts';
import { renderDiff } from '../../render/diff.ts';
import { renderReport } from '../../render/report.ts';

const MAX_REASON = 1024;

export class BundleRollback extends DaemonCommand {
  static override paths = [['bundle', 'rollback']];
  static override usage = Command.Usage({
    description: 'Make the bundle active again that was active before; shows what changes and asks.',
    details:
      'It is judged anew: what was revoked or has expired since stays out. Only one step back; an older bundle needs a ' +
      'downgrade statement (bundle apply --downgrade).',
    examples: [['The new rules cry wolf', '$0 bundle rollback rules/linux-baseline --reason "false positives"']],
  });

  channel = Option.String({ name: 'CHANNEL' });
  reason = Option.String('--reason', 'none given', { description: 'log `TEXT` as the reason' });
  dryRun = Option.Boolean('--dry-run', false, { description: 'judge it and show what would change; change nothing' });
  yes = Option.Boolean('--yes', false, { description: 'do not ask' });

  async run(): Promise<ExitCode> {
    if (this.reason === '' || this.reason.length > MAX_REASON) {
      throw usageError('USAGE_VALUE', `--reason takes 1 to ${MAX_REASON} characters`);
    }
    await using install = await openInstallHere(this.dataDirectory);
    const { names, problem } = enclaveNames(install, this.context.env);
    if (problem !== undefined) this.note(problem);
    const outcome = await rollBack(install, this.channel, {
      toolVersion: RELEASE.version,
      names,
      content: contentCheck,
      compare: compareContent,
      reason: this.reason,
      dryRun: this.dryRun,
      signal: this.signal,
      confirm: async (plan) => {
        if (!this.yes) this.note(renderDiff(plan.diff, plan.content, true, this.context.output.noteStyle));
        return agree(this.context, 'Go back to it?', this.yes);
      },
    });
    this.result(outcome, this.#text(outcome));
    if (outcome.status === 'refused') return EXIT.untrusted;
    return outcome.status === 'declined' ? EXIT.failed : EXIT.done;
  }

  #text(outcome: RollbackOutcome<ContentDiff>): string {
    const report = renderReport(outcome.report, this.style);
    if (outcome.status === 'refused') return `${report}\n\nNothing was changed.`;
    const { diff, content, statement } = outcome.plan;
    const shown = `${report}\n\n${renderDiff(diff, content, true, this.style)}`;
    if (outcome.status !== 'rolled-back') return `${shown}\n\nNothing was changed.`;
    const { channel, seq } = statement;
    return `${shown}\n\nactive again: ${channel} seq ${seq}, logged as entry ${outcome.entry.seq}`;
  }
}
