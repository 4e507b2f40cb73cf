import { Command, Option } from 'clipanion';
import { diffBundles } from '../../../bundle/diff.ts';
import { inspectForDiff } from '../../../bundle/inspect-io.ts';
import { DaemonCommand } from '../../command.ts';
import { compareContent, looksInside } from '../../compare-content.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderDiff } from '../../render/diff.ts';

export class BundleDiff extends DaemonCommand {
  static override paths = [['bundle', 'diff']];
  static override usage = Command.Usage({
    description: 'Tell what changes from bundle A to bundle B: rules, their SQL, settings, files, signers, dates.',
    details: 'Looks without trusting: nothing is verified, compiled or run. Each may be a directory or a tar.',
    examples: [['Before signing the next one', '$0 bundle diff linux-1.bundle.tar linux-2.bundle']],
  });

  a = Option.String({ name: 'A' });
  b = Option.String({ name: 'B' });

  async run(): Promise<ExitCode> {
    const before = await inspectForDiff(this.a, looksInside);
    this.signal.throwIfAborted();
    const after = await inspectForDiff(this.b, looksInside);
    const diff = diffBundles(before, after);
    const content = await compareContent(before, after);
    const warning = this.style.tone('strong', 'NOT VERIFIED: anybody can write this; nothing was checked but digests');
    const text = `${warning}\n\n${renderDiff(diff, content, false, this.style)}`;
    this.result({ verified: false, diff, content }, text);
    return EXIT.done;
  }
}
