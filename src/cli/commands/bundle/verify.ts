import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, Option } from 'clipanion';
import { openVolumes } from '../../../bundle/volumes/open-volumes-io.ts';
import type { Report } from '../../../core/checks.ts';
import { RELEASE } from '../../../core/release.ts';
import { laterTime } from '../../../core/time.ts';
import { trustOf } from '../../../install/apply-io.ts';
import { type HeldBlobs, heldBlobs } from '../../../install/held-blobs-io.ts';
import { readInstall } from '../../../install/install-io.ts';
import { loadPinnedRoot } from '../../../install/root-store-io.ts';
import { createStaging } from '../../../install/staging-io.ts';
import { initialState } from '../../../install/state.ts';
import { judgeContainer } from '../../../install/verify-io.ts';
import type { BundleTrust } from '../../../verify/bundle-verification.ts';
import { DaemonCommand } from '../../command.ts';
import { enclaveNames } from '../../configuration-io.ts';
import { contentCheck } from '../../content-check-io.ts';
import { EXIT, type ExitCode } from '../../exit-codes.ts';
import { judging } from '../../judging.ts';
import { parseMoment } from '../../moment.ts';
import { renderReport } from '../../render/report.ts';
import { readTrustRoot } from '../../trust-workspace-io.ts';
import { decryptionBy, volumesName } from '../../volumes-argument-io.ts';

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
    const { trust, held } = await this.#known();
    const floor = this.floor === undefined ? trust.floor : parseMoment(this.floor, this.now, '--floor');
    const report = await this.#judge({ ...trust, floor: laterTime(trust.floor, floor) }, held);
    this.result(report, renderReport(report, this.style));
    return report.verdict === 'trusted' ? EXIT.done : EXIT.untrusted;
  }

  async #known(): Promise<{ readonly trust: BundleTrust; readonly held?: HeldBlobs }> {
    const options = { toolVersion: RELEASE.version, acceptGap: this.acceptGap, requireFresh: this.requireFresh };
    if (this.trust !== undefined) {
      return { trust: trustOf(initialState(RELEASE.builtAt), readTrustRoot(this.trust), options) };
    }
    return judging(async () => {
      const install = await readInstall(this.dataDirectory, RELEASE.builtAt);
      const { layout, state } = install;
      const { names, problem } = enclaveNames(install, this.context.env);
      if (problem !== undefined) this.note(problem);
      const trust = trustOf(state, loadPinnedRoot(layout, state), { ...options, names });
      return { trust, held: heldBlobs(layout, state) };
    });
  }

  async #judge(trust: BundleTrust, held: HeldBlobs | undefined): Promise<Report> {
    const scratch = mkdtempSync(join(tmpdir(), 'daemoneye-verify-'));
    try {
      await using staging = createStaging(scratch, false);
      const name = volumesName(this.bundle);
      const progress = this.progress('verifying', { unit: 'bytes' }).update;
      const watch = { signal: this.signal, progress, ...(held === undefined ? {} : { held }) };
      const open = () => openVolumes(this.bundle, undefined, { decrypt: decryptionBy(this.identities) });
      return (await judgeContainer(open, name, trust, staging, contentCheck, watch)).report;
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
}
