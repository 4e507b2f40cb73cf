import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'clipanion';
import { openVolumes } from '../../../bundle/volumes/open-volumes-io.ts';
import type { Report } from '../../../core/checks.ts';
import { RELEASE } from '../../../core/release.ts';
import { laterTime } from '../../../core/time.ts';
import { trustOf } from '../../../install/apply-io.ts';
import { heldBlobs } from '../../../install/held-blobs-io.ts';
import { readInstall } from '../../../install/install-io.ts';
import { readNoPins, readPinsOf } from '../../../install/pinned-files-io.ts';
import { loadPinnedRoot } from '../../../install/root-store-io.ts';
import { createStaging } from '../../../install/staging-io.ts';
import { initialState } from '../../../install/state.ts';
import { type JudgeOptions, judgeContainer } from '../../../install/verify-io.ts';
import type { BundleTrust } from '../../../verify/bundle-verification.ts';
import { DaemonCommand } from '../../command.ts';
import { enclaveNames } from '../../configuration-io.ts';
import { contentCheck } from '../../content-check-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { isDirectory } from '../../files-io.ts';
import { judging } from '../../judging.ts';
import { parseMoment } from '../../moment.ts';
import { readWorkspacePins } from '../../pinned-workspace-io.ts';
import { renderReport } from '../../render/report.ts';
import { readTrustRoot } from '../../trust-workspace-io.ts';
import { decryptionBy, volumesName } from '../../volumes-argument-io.ts';

/** What is here of it already, and of what it rests on. */
type Here = Pick<JudgeOptions, 'held' | 'readPin'>;

export class BundleVerify extends DaemonCommand {
  static override paths = [['bundle', 'verify']];
  static override usage = Command.Usage({
    description: 'Verify a bundle and print every check. Exit code 0 if it is trusted, 3 if not. Changes nothing.',
    details:
      'Against --trust ROOT, a file or directory you trust already; without it against the root pinned here and what ' +
      'this enclave remembers of the channel.',
    examples: [
      ['Before it leaves the house', '$0 bundle verify linux-1.bundle.tar --trust root'],
      ['In the enclave', '$0 bundle verify /media/usb/linux-1.bundle.tar'],
    ],
  });

  bundle = Option.Rest({ name: 'BUNDLE', required: 1 });
  trust = Option.String('--trust', { description: 'judge by the trust root in `ROOT`' });
  floor = Option.String('--floor', { description: 'it is at least `MOMENT` (2027-01-31)' });
  requireFresh = Option.Boolean('--require-fresh', false, { description: 'refuse what is not provably fresh' });
  acceptGap = Option.Boolean('--accept-gap', false, { description: 'accept that many bundles were skipped' });
  identities = Option.Array('--identity', [], { description: 'open it with the age identity in `FILE`' });

  async run(): Promise<ExitCode> {
    const { trust, ...here } = await this.#known();
    const floor = this.floor === undefined ? trust.floor : parseMoment(this.floor, this.now, '--floor');
    const report = await this.#judge({ ...trust, floor: laterTime(trust.floor, floor) }, here);
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }

  async #known(): Promise<Here & { readonly trust: BundleTrust }> {
    const options = { toolVersion: RELEASE.version, acceptGap: this.acceptGap, requireFresh: this.requireFresh };
    if (this.trust !== undefined) {
      const trust = trustOf(initialState(RELEASE.builtAt), readTrustRoot(this.trust), options);
      return { trust, readPin: isDirectory(this.trust) ? readWorkspacePins(this.trust) : readNoPins };
    }
    return judging(async () => {
      const install = await readInstall(this.dataDirectory, RELEASE.builtAt);
      const { layout, state } = install;
      const { names, problem } = enclaveNames(install, this.context.env);
      if (problem !== undefined) this.note(problem);
      const trust = trustOf(state, loadPinnedRoot(layout, state), { ...options, names });
      return { trust, held: heldBlobs(layout, state), readPin: readPinsOf(layout) };
    });
  }

  async #judge(trust: BundleTrust, here: Here): Promise<Report> {
    const scratch = mkdtempSync(join(tmpdir(), 'daemoneye-verify-'));
    try {
      await using staging = createStaging(scratch, false);
      const name = volumesName(this.bundle);
      const progress = this.progress('verifying', { unit: 'bytes' }).update;
      const watch = { signal: this.signal, progress, ...here };
      const open = () => openVolumes(this.bundle, undefined, { decrypt: decryptionBy(this.identities) });
      return (await judgeContainer(open, name, trust, staging, contentCheck, watch)).report;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
}
