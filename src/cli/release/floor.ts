import { existsSync } from 'node:fs';
import { RELEASE } from '../../core/release.ts';
import { laterTime, type Time } from '../../core/time.ts';
import { dataLayout } from '../../install/layout.ts';
import { judging } from '../judging.ts';
import { parseMoment } from '../moment.ts';

/**
 * The latest moment known to have passed: when this program was built, what this enclave has seen, and what whoever
 * verifies says. Never the clock.
 * @throws CliError USAGE_VALUE; InstallError when what this enclave remembers was tampered with
 */
export async function releaseFloor(data: string, told: string | undefined, now: Time): Promise<Time> {
  const known = existsSync(dataLayout(data).installLog) ? await rememberedFloor(data) : RELEASE.builtAt;
  const floor = laterTime(known, RELEASE.builtAt);
  return told === undefined ? floor : laterTime(floor, parseMoment(told, now, '--floor'));
}

async function rememberedFloor(data: string): Promise<Time> {
  // Loaded only where there is something to read: most who verify a release have no enclave.
  const { readInstall } = await import('../../install/install-io.ts');
  return (await judging(() => readInstall(data, RELEASE.builtAt))).state.floor;
}
