import { Command, Option } from 'clipanion';
import { RELEASE } from '../../../core/release.ts';
import { readInstall } from '../../../install/install-io.ts';
import { loadPinnedRoot } from '../../../install/root-store-io.ts';
import type { TrustRoot } from '../../../verify/root-document.ts';
import { DaemonCommand } from '../../command.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { renderRoot } from '../../render/root.ts';
import { readTrustRoot } from '../../trust-workspace-io.ts';

export class TrustShow extends DaemonCommand {
  static override paths = [['trust', 'show']];
  static override usage = Command.Usage({
    description: 'Show a trust root: who may sign what. Without ROOT, the one pinned here.',
    details: 'Showing a file says nothing about whether it can be trusted; its fingerprint does.',
    examples: [
      ['What is pinned here', '$0 trust show'],
      ['The newest finished version in a directory', '$0 trust show root'],
    ],
  });

  root = Option.String({ name: 'ROOT', required: false });

  async run(): Promise<ExitCode> {
    const root = this.root === undefined ? await this.#pinned() : readTrustRoot(this.root);
    this.result(
      { version: root.version, fingerprint: root.digest, root: root.document, pinned: this.root === undefined },
      renderRoot(root),
    );
    return EXIT.done;
  }

  async #pinned(): Promise<TrustRoot> {
    const { layout, state } = await readInstall(this.dataDirectory, RELEASE.builtAt);
    return loadPinnedRoot(layout, state);
  }
}
