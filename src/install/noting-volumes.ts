import { DaemonEyeError } from '../core/errors.ts';
import type { Staging } from './staging-io.ts';
import type { BundleJudgement } from './verify-io.ts';

/**
 * Judges a bundle, and notes beside what was staged which of its files were read to their end, however it ended: the
 * stick that was pulled is to come again.
 * @param volumes names of the files that were opened so far
 * @throws as `judge`; DurableError
 */
export async function notingVolumes(
  staging: Staging,
  volumes: () => readonly string[] = () => [],
  judge: () => Promise<BundleJudgement>,
): Promise<BundleJudgement> {
  let judgement: BundleJudgement;
  try {
    judgement = await judge();
  } catch (thrown) {
    noteAnyway(staging, volumes().slice(0, -1));
    throw thrown;
  }
  staging.noteVolumes(judgement.staged === undefined ? volumes().slice(0, -1) : volumes());
  return judgement;
}

/** What went wrong before is what counts. */
function noteAnyway(staging: Staging, names: readonly string[]): void {
  try {
    staging.noteVolumes(names);
  } catch (error) {
    if (!(error instanceof DaemonEyeError)) throw error;
  }
}
