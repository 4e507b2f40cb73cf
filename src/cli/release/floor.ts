import { existsSync } from 'node:fs';
import { RELEASE } from '../../core/release.ts';
import { laterTime, type Time } from '../../core/time.ts';
import { type DataLayout, dataLayout } from '../../install/layout.ts';
import type { TrustRoot } from '../../verify/root-document.ts';
import { judging } from '../judging.ts';
import { parseMoment } from '../moment.ts';

/** What is known where a release is judged. */
export type ReleaseStanding = {
  /** The latest moment known to have passed. */
  readonly floor: Time;
  readonly layout: DataLayout;
  /** The trust root pinned here; undefined where none is. Read when it is wanted. */
  readonly root: () => TrustRoot | undefined;
};

/**
 * The floor is the latest of: when this program was built, what this enclave has seen, and what whoever verifies says.
 * Never the clock.
 * @throws CliError USAGE_VALUE; InstallError when what this enclave remembers was tampered with
 */
export async function releaseStanding(data: string, told: string | undefined, now: Time): Promise<ReleaseStanding> {
  const layout = dataLayout(data);
  const here = existsSync(layout.installLog) ? await rememberedHere(data) : undefined;
  const known = laterTime(here?.floor ?? RELEASE.builtAt, RELEASE.builtAt);
  const floor = told === undefined ? known : laterTime(known, parseMoment(told, now, '--floor'));
  return { floor, layout, root: () => here?.root() };
}

async function rememberedHere(data: string): Promise<Omit<ReleaseStanding, 'layout'>> {
  // Loaded only where there is something to read: most who verify a release have no enclave.
  const [{ readInstall }, { loadPinnedRoot }] = await Promise.all([
    import('../../install/install-io.ts'),
    import('../../install/root-store-io.ts'),
  ]);
  const { layout, state } = await judging(() => readInstall(data, RELEASE.builtAt));
  const root = () => (state.root === undefined ? undefined : loadPinnedRoot(layout, state));
  return { floor: state.floor, root };
}
