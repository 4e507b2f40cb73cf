import { RELEASE } from '../../../core/release.ts';
import { laterTime, type Time } from '../../../core/time.ts';
import type { EvidenceTrust } from '../../../forensics/evidence/verification.ts';
import { readEnrolments } from '../../../install/enrolment-io.ts';
import { readInstall } from '../../../install/install-io.ts';
import { loadPinnedRoot } from '../../../install/root-store-io.ts';
import { judging } from '../../judging.ts';
import { parseMoment } from '../../moment.ts';
import { readTrustRoot } from '../../trust-workspace-io.ts';
import { readEnrolmentFile } from '../trust/enrol-files.ts';

export type TrustArguments = {
  /** `--trust`: a file or directory with a trust root; without it the one pinned here, with what was accepted here. */
  readonly root: string | undefined;
  /** `--enrolment`: files with enrolments known on this side. */
  readonly enrolments: readonly string[];
  /** `--floor`. */
  readonly floor: string | undefined;
  readonly now: Time;
};

/** What an evidence package is judged by. */
export async function evidenceTrust(
  data: string,
  { root, enrolments, floor, now }: TrustArguments,
): Promise<EvidenceTrust> {
  const given = enrolments.map(readEnrolmentFile);
  const known =
    root === undefined
      ? await judging(() => pinned(data))
      : { root: readTrustRoot(root), floor: RELEASE.builtAt, enrolments: [] };
  const told = floor === undefined ? known.floor : parseMoment(floor, now, '--floor');
  return { root: known.root, floor: laterTime(known.floor, told), enrolments: [...known.enrolments, ...given] };
}

async function pinned(data: string): Promise<EvidenceTrust> {
  const { layout, state } = await readInstall(data, RELEASE.builtAt);
  return { root: loadPinnedRoot(layout, state), floor: state.floor, enrolments: readEnrolments(layout) };
}
