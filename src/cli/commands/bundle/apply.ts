import { Command, Option } from 'clipanion';
import { MediaSeen } from '../../../bundle/medium-io.ts';
import { RELEASE } from '../../../core/release.ts';
import { type ApplyOutcome, type ApplyPlan, applyBundle } from '../../../install/apply-io.ts';
import { DaemonCommand } from '../../command.ts';
import { type ContentDiff, compareContent } from '../../compare-content.ts';
import { enclaveNames } from '../../configuration-io.ts';
import { contentCheck } from '../../content-check-io.ts';
import { readDocumentFile } from '../../document-files-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { openInstallHere } from '../../install-here-io.ts';
import { agree } from '../../prompt-io.ts';
import { renderDiff } from '../../render/diff.ts';
import { renderReport } from '../../render/report.ts';
import { renderRevoked } from '../../render/revoked.ts';
import type { Style } from '../../render/style.ts';
import { decryptionBy, openGiven, volumesName } from '../../volumes-argument-io.ts';

export class BundleApply extends DaemonCommand {
  static override paths = [['bundle', 'apply']];
  static override usage = Command.Usage({
    description: 'Verify a bundle and make it the active one of its channel; shows what changes and asks.',
    details:
      'Old or new, never a mixture, whenever the power goes. The log records what was applied, and what was refused. ' +
      'Several volumes are given in any order, or one after another: on a terminal the next is asked for. What was read ' +
      'when a stick was pulled is not read again.',
    examples: [
      ['From a stick', '$0 bundle apply /media/usb/linux-2.bundle.tar'],
      ['From two discs', '$0 bundle apply /media/cd1/linux-2.bundle.tar.001 /media/cd2/linux-2.bundle.tar.002'],
      ['Only look', '$0 bundle apply /media/usb/linux-2.bundle.tar --dry-run'],
    ],
  });

  bundle = Option.Rest({ name: 'BUNDLE', required: 1 });
  dryRun = Option.Boolean('--dry-run', false, { description: 'verify and show what would change; change nothing' });
  yes = Option.Boolean('--yes', false, { description: 'do not ask' });
  acceptGap = Option.Boolean('--accept-gap', false, { description: 'accept that many bundles were skipped' });
  requireFresh = Option.Boolean('--require-fresh', false, { description: 'refuse what is not provably fresh' });

  identities = Option.Array('--identity', [], { description: 'open it with the age identity in `FILE`' });
  downgrade = Option.String('--downgrade', {
    description: 'go back to it, as the downgrade statement in `FILE` allows',
  });

  async run(): Promise<ExitCode> {
    await using install = await openInstallHere(this.dataDirectory);
    const { names, problem } = enclaveNames(install, this.context.env);
    if (problem !== undefined) this.note(problem);
    const seen = new MediaSeen();
    const decrypt = decryptionBy(this.identities);
    const open = openGiven(this.bundle, this.context, { decrypt, opening: (path) => seen.note(path) });
    const outcome = await applyBundle(install, open, volumesName(this.bundle), {
      toolVersion: RELEASE.version,
      names,
      content: contentCheck,
      compare: compareContent,
      acceptGap: this.acceptGap,
      requireFresh: this.requireFresh,
      dryRun: this.dryRun,
      media: () => seen.media,
      volumes: () => seen.files,
      ...(this.downgrade === undefined ? {} : { downgrade: readDocumentFile(this.downgrade) }),
      signal: this.signal,
      progress: this.progress('verifying', { unit: 'bytes' }).update,
      confirm: async (plan) => {
        if (!this.yes) this.note(this.#plan(plan, this.context.output.noteStyle));
        return agree(this.context, 'Apply it?', this.yes);
      },
    });
    const text = [this.#text(outcome), renderRevoked(outcome.revoked, this.style).join('\n')];
    this.result(outcome, text.filter((part) => part !== '').join('\n\n'));
    if (outcome.status === 'applied' && outcome.plan.statement.kind === 'config') {
      this.note('settings hold from the next start on: daemoneye agent stop, then agent run');
    }
    if (outcome.status === 'refused') return EXIT.untrusted;
    return outcome.status === 'declined' ? EXIT.failed : EXIT.done;
  }

  #plan({ diff, content }: ApplyPlan<ContentDiff>, style: Style): string {
    return renderDiff(diff, content, true, style);
  }

  #text(outcome: ApplyOutcome<ContentDiff>): string {
    const report = renderReport(outcome.report, this.style);
    switch (outcome.status) {
      case 'refused':
        return `${report}\n\nNothing was changed.`;
      case 'unchanged':
        return `${report}\n\nIt is the active bundle already; nothing was changed.`;
      case 'dry-run':
      case 'declined':
        return `${report}\n\n${this.#plan(outcome.plan, this.style)}\n\nNothing was changed.`;
      case 'applied': {
        const { channel, seq } = outcome.plan.statement;
        const { entry, plan } = outcome;
        return `${report}\n\n${this.#plan(plan, this.style)}\n\nactive: ${channel} seq ${seq}, logged as entry ${entry.seq}`;
      }
    }
  }
}
