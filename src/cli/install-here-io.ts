import { RELEASE } from '../core/release.ts';
import { openInstall, type WritableInstall } from '../install/install-io.ts';
import type { Actor } from '../ledger/line.ts';
import { systemSurroundings } from '../ledger/surroundings-io.ts';

/** Opens the data directory for changing it, on this machine's clock and as the person who runs the command. */
export function openInstallHere(data: string): Promise<WritableInstall> {
  return openInstall(data, RELEASE.builtAt, systemSurroundings(), cliActor());
}

/** Who an entry of the command line is by. Operators with keys come with enrolment; until then it is the uid. */
export function cliActor(): Actor {
  // Not os.userInfo(): that fails for a uid without an entry in passwd, as in many containers.
  return { type: 'process', id: `cli/uid-${process.getuid?.() ?? 'none'}` };
}
